#!/usr/bin/env node
process.stderr.write('palette-backup: no commands yet\n')
process.exitCode = 2
