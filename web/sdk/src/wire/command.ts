/** The numbers of commands (PROTOCOL.md §3): kind in the high 16 bits, operation in the low ones. */

export const REQUEST = 1;
export const ANSWER = 2;
export const NOTIFY = 3;

export const Operation = {
  RESUME: 2,
  LOGIN: 3,
  LOGOUT: 4,
  KEEPALIVE: 5,
  GOAWAY: 6,
  KICKOUT: 8,
  CLOSE: 9,
  SEND: 16,
  MESSAGE: 17,
  ACK: 18,
  RECEIPT: 19,
  RECEIPTS: 20,
  SYNC: 21,
  HINT: 22,
  HISTORY: 23,
  CONVERSATIONS: 24,
  MARK_READ: 25,
  RECALL: 26,
  EDIT: 27,
  REACT: 28,
  DELETE: 29,
  TYPING: 30,
  BLOCK: 31,
  CLAIM_VISITOR: 32,
  ENTER_ROOM: 33,
  LEAVE_ROOM: 34,
  ROOM: 35,
  SEARCH: 66,
} as const;

export const command = (kind: number, operation: number): number => kind * 65_536 + operation;
export const kindOf = (number: number): number => number >>> 16;
export const operationOf = (number: number): number => number & 65_535;
