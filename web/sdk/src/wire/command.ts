/** The numbers of commands (PROTOCOL.md §3): kind in the high 16 bits, operation in the low ones. */

export const REQUEST = 1;
export const ANSWER = 2;
export const NOTIFY = 3;

export * as Operation from "./operation";

export const command = (kind: number, operation: number): number => kind * 65_536 + operation;
export const kindOf = (number: number): number => number >>> 16;
export const operationOf = (number: number): number => number & 65_535;
