import type { ErrorCode } from 'yaml'

/** In our own words: the parser's messages quote the text, and the text may hold a secret. */
const EXPLANATIONS: Partial<Record<ErrorCode, string>> = {
  BAD_ALIAS:
    'What begins with * is a YAML alias, and those are not read here. Put a text, as a cron expression is one, in quotes.',
  BAD_DQ_ESCAPE: 'There is no such escape in a string in double quotes. Use single quotes, or \\\\ for a backslash.',
  BAD_INDENT: 'The indentation does not fit the lines above; or a bracket or quote above is not closed.',
  BAD_SCALAR_START: 'A value cannot begin with this character. Put the value in quotes.',
  BLOCK_AS_IMPLICIT_KEY: 'A second "key: value" begins on the same line. Begin a new line, or put the value in quotes.',
  BLOCK_IN_FLOW: 'A list or map written over several lines cannot stand inside [ ] or { }.',
  KEY_OVER_1024_CHARS: 'This key is longer than 1024 characters.',
  MISSING_CHAR: 'A character is missing here: a closing quote or bracket, a comma, or a space.',
  MULTILINE_IMPLICIT_KEY: 'A key must stand on one line; a colon, or the space after it, may be missing.',
  MULTIPLE_DOCS: 'A second document begins here (---). The file holds exactly one.',
  NON_STRING_KEY: 'A key must be a plain text.',
  RESOURCE_EXHAUSTION: 'The text is nested too deeply to be read.',
  TAB_AS_INDENT: 'The line is indented with a tab. YAML takes spaces only.',
  TAG_RESOLVE_FAILED: 'YAML tags (!name) are not read here. Remove the tag.',
  UNEXPECTED_TOKEN: 'This does not fit here. Look for a missing quote, bracket or colon before it.',
}

export function explainSyntax(code: ErrorCode): { summary: string; detail: string } {
  return { summary: 'Invalid YAML', detail: EXPLANATIONS[code] ?? 'The text is not valid YAML from here on.' }
}
