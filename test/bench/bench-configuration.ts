import { configurationText, s3Text } from '../support/configuration-text.ts'

/** A policy that is never due, from the bench's source to MinIO: what both are comes in the environment. */
export function benchConfigurationText(bucket: string, folder?: string, attributes: readonly string[] = []): string {
  return configurationText({
    clusterName: 'bench',
    uriEnv: 'BENCH_URI',
    locations: [
      s3Text('minio', {
        ...{ bucket, url: '{ $env: BENCH_S3_URL }', accessEnv: 'BENCH_ACCESS', secretEnv: 'BENCH_SECRET' },
        attributes: folder === undefined ? [] : [`folder: ${folder}`],
      }),
    ],
    policy: 'bench',
    policyLocations: ['minio'],
    attributes: ['schedule: "0 0 1 1 *"', 'retention_period: 400', ...attributes],
  })
}
