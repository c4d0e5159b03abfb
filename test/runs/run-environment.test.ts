import { expect, it } from 'vitest'
import type { S3LocationConfig } from '../../agent/config/config.ts'
import { runEnvironment } from '../../agent/runs/run-environment.ts'
import { IMAGE_ENV } from '../support/image-env.ts'
import { testConfig } from './test-config.ts'

const ENV = {
  PATH: '/bin',
  https_proxy: 'http://proxy:3128',
  NODE_EXTRA_CA_CERTS: '/ca.pem',
  LD_PRELOAD: '/usr/lib/libjemalloc.so.2',
  KUBERNETES_SERVICE_HOST: '10.0.0.1',
  AWS_ROLE_ARN: 'arn:aws:iam::1:role/backup',
  AWS_WEB_IDENTITY_TOKEN_FILE: '/token',
  AWS_SECRET_ACCESS_KEY: 'swordfish',
  MONGODB_URI: 'mongodb://u:swordfish@h',
  FTP_PASSWORD: 'swordfish',
}

const s3 = (credentialType: S3LocationConfig['credentialType']): S3LocationConfig => ({
  name: 'offsite',
  storageProvider: 's3',
  bucketName: 'backups',
  region: 'eu-west-1',
  folder: '',
  validate: true,
  credentialType,
  s3ForcePathStyle: false,
})

const namesFor = (...locations: S3LocationConfig[]) => Object.keys(runEnvironment(ENV, { ...testConfig(), locations }))

it('a run gets what it needs to run and to reach a network, and no secret of the configuration', () => {
  const needed = ['PATH', 'https_proxy', 'NODE_EXTRA_CA_CERTS', 'LD_PRELOAD', 'KUBERNETES_SERVICE_HOST']
  expect(namesFor(s3('secret'))).toEqual(needed)
  expect(namesFor()).toEqual(needed)
})

it('what the image sets for every process reaches the runs, which need it most', () => {
  expect(Object.keys(IMAGE_ENV)).not.toHaveLength(0)
  expect(runEnvironment(IMAGE_ENV, testConfig())).toEqual(IMAGE_ENV)
})

it('what the AWS SDK looks for by itself is there when a location leaves it to the SDK', () => {
  const chain = ['AWS_ROLE_ARN', 'AWS_WEB_IDENTITY_TOKEN_FILE', 'AWS_SECRET_ACCESS_KEY']
  expect(namesFor(s3('default'))).toEqual(expect.arrayContaining(chain))
  expect(namesFor(s3('secret'), s3('sts'))).toEqual(expect.arrayContaining(chain))
  expect(namesFor(s3('default'))).not.toContain('FTP_PASSWORD')
})
