"""What the promises of the store rest on, each with the edits that take it away, and the programs
of the proof that must notice."""
import collections

Mutation = collections.namedtuple('Mutation', 'name edits proofs')

# Power cuts at every moment of some histories of each kind.
CUTS = (('tests/crash/enumerate', '--first', '--histories', '0', '70'),)
FAULTS = (('tests/crash/faults', '--first'),)
DAMAGE = (('tests/crash/damage', '--first'),)

JOB = 'storage/file_job.c'
MEDIUM = 'storage/medium_file.c'
COMMIT = 'storage/commit.c'
CHAIN = 'storage/chain.c'
RECOVER = 'storage/recover.c'
SETTLE = 'storage/settle.c'
BATCH = 'storage/batch.c'
RECORD = 'storage/record.c'
HINT = 'storage/hint.c'
SCAN = 'storage/scan.c'
FETCH = 'storage/fetch.c'

PREPARE = '''ALLOCATE, FILL, SYNC_FILE,
                      SYNC_HOME, TIDYING}'''
PUBLISH = '''FILL, SYNC_FILE, RENAME,
                      SYNC_HOME, TIDYING}'''


def without(text, words):
    return text.replace(words, '')


MUTATIONS = (
    # ---- syncs ----
    Mutation('sync of the store\'s folder in its parent',
             ((MEDIUM, 'if (made && !directory_sync_parent(fd))',
               'if (false && !directory_sync_parent(fd))'),), CUTS),
    Mutation('sync of the store\'s folder, for a shard\'s',
             ((JOB, '[SYNC_ROOT] = {wants_home, sync_root, root_synced}',
               '[SYNC_ROOT] = {wants_undoing, sync_root, root_synced}'),), CUTS),
    Mutation('sync of a spare', ((JOB, PREPARE, without(PREPARE, 'SYNC_FILE,')),), CUTS),
    Mutation('sync of a spare\'s name', ((JOB, PREPARE, without(PREPARE, 'SYNC_HOME,')),), CUTS),
    Mutation('sync of a segment\'s name',
             ((JOB, '{OPEN_HOME, RENAME, SYNC_HOME, TIDYING}', '{OPEN_HOME, RENAME, TIDYING}'),),
             CUTS),
    Mutation('sync of a published file', ((JOB, PUBLISH, without(PUBLISH, 'SYNC_FILE,')),), CUTS),
    Mutation('sync of a published file before it gets its name',
             ((JOB, 'CREATE, ' + PUBLISH,
               'CREATE, FILL, RENAME, SYNC_FILE, SYNC_HOME, TIDYING}'),), CUTS),
    Mutation('sync of a published file\'s name',
             ((JOB, PUBLISH, without(PUBLISH, 'SYNC_HOME,')),), CUTS),
    Mutation('sync of a removal',
             ((JOB, '{OPEN_HOME, UNLINK, SYNC_HOME, TIDYING}', '{OPEN_HOME, UNLINK, TIDYING}'),),
             CUTS),
    Mutation('RWF_DSYNC of a direct write',
             ((MEDIUM, 'if (io->file->direct && io->file->durable)', 'if (false)'),), CUTS),
    Mutation('fdatasync after a buffered write',
             ((MEDIUM, 'if (full && !io->file->direct && io->file->durable)', 'if (false)'),), CUTS),
    Mutation('sync of the whole file system by the fence',
             ((MEDIUM, 'if (status == STATUS_OK && syncfs(file->root) < 0)', 'if (false)'),), CUTS),
    # ---- the order of things ----
    Mutation('links, then 250',
             ((SETTLE, '        if (!taken && !settle->closing)\n            return false;\n', ''),),
             CUTS),
    Mutation('a batch is told when it and all before it are durable',
             ((COMMIT, 'if (batch->state != BATCH_DURABLE)\n            return;',
               'if (batch->state != BATCH_DURABLE && commit->flights < 2)\n            return;'),),
             CUTS),
    Mutation('+OK to QUIT after the deletions are durable',
             (('storage/expunge.c', 'if (expunge->flights > 0 || (', 'if ((false || ('),
              ('storage/expunge.c', 'expunge->status == STATUS_OK))\n            return;',
               'expunge->status == STATUS_OK)))\n            return;')), CUTS),
    Mutation('a segment\'s header is durable before its first batch',
             (('storage/spare.c', 'segment_header_seal(spare->block, spare->store, name, epoch);\n'
               '    start(spare, SPARE_BEGINNING);',
               'segment_header_seal(spare->block, spare->store, name, epoch);\n'
               '    start(spare, SPARE_BEGINNING);\n    spare->under_way = false;\n'
               '    spare->op.result = 0;'),), CUTS),
    # ---- what recovery believes ----
    Mutation('durable_upto: nothing is vouched for',
             ((COMMIT, 'durable_upto = commit->durable_sequence', 'durable_upto = 0'),), DAMAGE),
    Mutation('durable_upto: what is in flight is vouched for',
             ((COMMIT, 'durable_upto = commit->durable_sequence',
               'durable_upto = batch->header.sequence - 1'),), CUTS),
    Mutation('the anchor',
             ((COMMIT, 'commit->state = COMMIT_ANCHORING;\n'
               '    submit(commit, begin_batch(commit, BATCH_ANCHOR));',
               'commit->state = COMMIT_RUNNING;'),), CUTS),
    Mutation('the step of numbers from run to run',
             ((RECOVER, 'return (end_lsn + LSN_STEP / 2 + LSN_STEP - 1) / LSN_STEP * LSN_STEP;',
               'return end_lsn;'),), CUTS),
    Mutation('void batches', ((CHAIN, 'batch->counts = false;\n    }\n}', ';\n    }\n}'),), FAULTS),
    Mutation('a torn batch is no part of the log',
             ((CHAIN, 'if (batch->bad > 0 && !vouched)\n        return false;\n', ''),), CUTS),
    Mutation('CRC of the batch before',
             ((CHAIN, ' && header->previous_crc == chain->crc', ''),), CUTS),
    Mutation('numbers only grow',
             ((CHAIN, ' || header->first_lsn < chain->end_lsn', ''),), CUTS),
    Mutation('CRC of the batch before, and numbers only grow',
             ((CHAIN, ' && header->previous_crc == chain->crc', ''),
              (CHAIN, ' || header->first_lsn < chain->end_lsn', '')), CUTS),
    Mutation('a segment goes on only where it is sound',
             ((RECOVER, 'judged[chain->tail].hint || judged[chain->tail].damaged ||',
               'judged[chain->tail].hint ||'),), DAMAGE),
    # ---- checksums ----
    Mutation('CRC of a batch\'s header',
             ((BATCH, ' || read.crc != checksum(&read)', ''),), CUTS + DAMAGE),
    Mutation('epoch of a batch', ((BATCH, 'read.epoch != place->epoch || ', ''),), CUTS + DAMAGE),
    Mutation('CRC of a record\'s header',
             ((RECORD, ' ||\n        header.header_crc != header_checksum(&header, seed)', ''),),
             CUTS + DAMAGE),
    Mutation('CRC of a record\'s payload',
             ((RECORD, 'if (header.payload_crc != crc32c(', 'if (false && 0 != crc32c('),),
             CUTS + DAMAGE),
)
