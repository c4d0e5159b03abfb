/**
 * What a verification proves, each with all before it:
 * - `stored`   every artifact is there with its size
 * - `content`  its bytes are those that were written: read back whole, SHA-256
 * - `decode`   it unpacks, and holds every document it should: zstd and archive checksums, counts and digests
 * - `restore`  a server takes it: put into databases of other names, read back from there, dropped again
 */
export const VERIFY_LEVELS = ['stored', 'content', 'decode', 'restore'] as const
export type VerifyLevel = (typeof VERIFY_LEVELS)[number]
