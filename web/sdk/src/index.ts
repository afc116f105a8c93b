/** The SDK: `createClient` and the types of `api.ts`. */
export type * from "./api";
export { createClient, forgetVisitorMark, visitorMark } from "./client";
