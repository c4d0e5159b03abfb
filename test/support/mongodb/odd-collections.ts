import { document, embedded, hex, int32, text } from './corpus.ts'
import { createCollection } from './creation.ts'
import { encode } from './encode.ts'
import { normaliseIndex } from './index-specification.ts'
import type { Store } from './store.ts'

/** MongoDB manual, Limits and Thresholds, "Length of Namespaces". */
const LONGEST_NAMESPACE_BYTES = 255

/** Names that a server takes and a careless program does not. */
export function oddNames(database: string): string[] {
  const longest = LONGEST_NAMESPACE_BYTES - database.length - 1
  return [
    'with.dots.in.it',
    'cash$',
    'a b',
    ' ',
    'ünïcödé 日本語 🙂',
    'quote\'"`',
    '..',
    'a/b\\c',
    'é'.repeat(longest / 2),
    'x'.repeat(longest),
  ]
}

/** Collections whose definition is the hard part: names, numbers of every type in options, fields whose order counts. */
export function seedOddCollections(store: Store, database: string): void {
  for (const name of oddNames(database)) store.add(database, name, { documents: [encode({ _id: name })] })
  store.add(database, 'empty')
  store.add(database, 'system.js', {
    documents: [
      document([
        ['_id', text('f')],
        ['value', { ...text('function () {}'), type: 0x0d }],
      ]),
    ],
  })
  // Neither of these is the database's own: see what a backup takes of `system.*`.
  store.add(database, 'system.profile', { options: { capped: true, size: 4096 }, documents: [encode({ _id: 1 })] })
  const ordered = createCollection(
    store,
    database,
    'ordered',
    document([
      [
        'validator',
        embedded(
          document([
            ['z', embedded(document([['$gt', hex(1, '000000000000f03f')]]))],
            ['10', int32(1)],
            ['9', int32(2)],
          ]),
        ),
      ],
      ['validationLevel', text('moderate')],
    ]),
  )
  ordered.indexes = [
    ...ordered.indexes,
    // An index on b, then 10, then 9 is another one than on 9, then 10, then b.
    normaliseIndex(
      document([
        [
          'key',
          embedded(
            document([
              ['b', int32(1)],
              ['10', int32(-1)],
              ['9', hex(1, '000000000000f03f')],
            ]),
          ),
        ],
        ['name', text('ordered')],
      ]),
    ),
    normaliseIndex(encode({ key: { u: 1 }, name: 'unique and sparse', unique: true, sparse: true })),
    normaliseIndex(encode({ key: { t: 1 }, name: 'ttl', expireAfterSeconds: 0 })),
  ]
  store.insert(ordered, [
    document([
      ['_id', int32(1)],
      ['10', int32(1)],
      ['9', int32(2)],
      ['b', int32(3)],
    ]),
  ])
  createCollection(
    store,
    database,
    'sorted',
    document([
      ['viewOn', text('ordered')],
      [
        'pipeline',
        {
          type: 4,
          bytes: document([
            [
              '0',
              embedded(
                document([
                  [
                    '$sort',
                    embedded(
                      document([
                        ['b', int32(1)],
                        ['2', int32(1)],
                        ['1', int32(1)],
                      ]),
                    ),
                  ],
                ]),
              ),
            ],
          ]),
        },
      ],
    ]),
  )
}
