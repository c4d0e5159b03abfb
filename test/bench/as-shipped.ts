import { IMAGE_ENV } from '../support/image-env.ts'

/** The beginning of a shell command: Node.js as the image runs it, and then a file. */
export const NODE_AS_SHIPPED = `env ${Object.entries(IMAGE_ENV)
  .map(([name, value]) => `${name}=${value}`)
  .join(' ')} ${process.execPath}`
