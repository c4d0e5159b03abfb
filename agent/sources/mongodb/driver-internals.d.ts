/** The one part of the driver's inside that is used; the driver publishes no types for it. */
declare module 'mongodb/lib/cmap/commands.js' {
  export class DocumentSequence {
    constructor(field: string)
    /** Appends bytes that hold one or more whole documents; returns the length of the section so far. */
    push(document: object, bytes: Uint8Array): number
  }
}
