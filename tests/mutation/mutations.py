"""What the promises of the store rest on, each with the edits that take it away, and the programs
of the proof that must notice."""
import collections

Mutation = collections.namedtuple('Mutation', 'name edits proofs')

# Power cuts at every moment of some histories of each kind.
MEDIUM_CUTS = (('tests/crash/enumerate', '--first', '--kinds', '10', '1'),)
CUTS = (*MEDIUM_CUTS,
        ('tests/crash/enumerate', '--first', '--kinds', '0', '6', '--histories', '0', '66'))
# While segments are compacted: one after the other, then among much else.
ROUNDS = (('tests/crash/enumerate', '--first', '--kinds', '8', '1', '--histories', '0', '33'),)
RECLAIM = (*ROUNDS,
           ('tests/crash/enumerate', '--first', '--kinds', '6', '2', '--histories', '0', '33'))
FAULTS = (('tests/crash/faults', '--first'),)
SHORT = (('tests/crash/faults', '--first', '--from', 'short'),)
ROTTEN = (('tests/crash/faults', '--first', '--from', 'rotten'),)
DAMAGE = (('tests/crash/damage', '--first'),)
# Where one thing stands behind another, so that no one state tells whether it is there.
UNIT = {name: ((f'tests/storage/test_{name}',),)
        for name in ('batch', 'chain', 'compact', 'compactor', 'contents', 'fetch', 'file_lock',
                     'format', 'liveness', 'medium_rewrite', 'owner', 'reclaim', 'remains',
                     'restore', 'rewrite', 'scan', 'spare', 'survey')}

JOB = 'storage/medium/file_job.c'
LOCK = 'storage/medium/file_lock.c'
SPARE = 'storage/spare.c'
MEDIUM = 'storage/medium/medium_file.c'
COMMIT = 'storage/commit.c'
CHAIN = 'storage/chain.c'
RECOVER = 'storage/recover.c'
SETTLE = 'storage/settle.c'
BATCH = 'storage/batch.c'
RECORD = 'storage/record.c'
HINT = 'storage/hint.c'
SCAN = 'storage/scan.c'
FETCH = 'storage/fetch.c'
COMPACTOR = 'storage/reclaim/compactor.c'
REWRITE = 'storage/reclaim/rewrite.c'
REMAINS = 'storage/reclaim/remains.c'
SURVEY = 'storage/reclaim/survey.c'
REBUILD = 'storage/index/rebuild.c'
RESTORE = 'storage/index/restore.c'

PREPARE = '''ALLOCATE, FILL, SYNC_FILE,
                      SYNC_HOME, TIDYING}'''
PUBLISH = '''FILL, SYNC_FILE, RENAME,
                      SYNC_HOME, TIDYING}'''


def without(text, words):
    return text.replace(words, '')


MUTATIONS = (
    # ---- syncs ----
    # The fence's sync covers the store's own folder, too: each of the two would do for that.
    Mutation('syncs of the store\'s folder in its parent, and by the fence',
             ((MEDIUM, 'if (made && !directory_sync_parent(fd))', 'if (made && !made)'),
              (MEDIUM, 'if (status == STATUS_OK && syncfs(file->root) < 0)', 'if (false)')), CUTS),
    Mutation('sync of the whole file system by the fence',
             ((MEDIUM, 'if (status == STATUS_OK && syncfs(file->root) < 0)', 'if (false)'),), CUTS),
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
             ((MEDIUM, 'if (full && !io->file->direct && io->file->durable)', 'if (false)'),),
             CUTS),
    Mutation('sync by a reader of what it has read',
             ((MEDIUM, 'io_uring_prep_fsync(sqe, object->read_fd, IORING_FSYNC_DATASYNC);',
               'io_uring_prep_nop(sqe);'),), MEDIUM_CUTS),
    # ---- what the world does ----
    Mutation('a short write goes on', ((MEDIUM, '        return !full;', '        return false;'),),
             SHORT),
    Mutation('a short filling goes on',
             ((JOB, 'return wants_filling(job) ? STEP_AGAIN : STEP_OVER;', 'return STEP_OVER;'),),
             SHORT),
    Mutation('a failed sync fails the change',
             ((JOB, '[SYNC_FILE] = {NULL, sync_file, NULL}',
               '[SYNC_FILE] = {NULL, sync_file, tidied}'),),
             FAULTS),
    Mutation('a failed write refuses its messages',
             ((COMMIT, 'if (op->result >= 0) {', 'if (true) {'),), FAULTS),
    Mutation('after a failed write the log goes on elsewhere',
             ((COMMIT, '    commit->failures++;\n    segment_drop(commit->segment);\n'
               '    commit->segment = NULL;\n', '    commit->failures++;\n'),),
             FAULTS),
    Mutation('deletions that did not become durable are no +OK',
             ((SETTLE, 'expunge_settle(log, cookie, record, durable ? STATUS_OK : '
               'log->commit.failure);', 'expunge_settle(log, cookie, record, STATUS_OK);'),),
             FAULTS),
    Mutation('a place without a batch is read again',
             ((SCAN, 'if (!header_at(scan, offset, &header))\n            offset = next;',
               'offset = next;'),), UNIT['scan']),
    Mutation('a batch that looks damaged is read again',
             ((SCAN, 'if (batch->bad > 0) {', 'if (false) {'),), UNIT['scan']),
    Mutation('what can\'t be read at the end of a log is no end',
             ((RECOVER, 'judged[i].scan->unreadable > 0 && recover->repair', 'false'),), ROTTEN),
    # ---- the order of things ----
    Mutation('links, then 250: a link that is not taken is offered again',
             ((SETTLE, '        if (!taken && !settle->closing)\n'
               '            return false;\n', ''),),
             CUTS),
    Mutation('links, then 250: all links of a message',
             ((SETTLE, 'while (settle->in_stop ||', 'if (settle->in_stop ||'),), CUTS),
    Mutation('a batch is told only when all before it are durable',
             ((COMMIT, """        if (batch->state != BATCH_DURABLE)
            return;
""", """        bool later = false;
        for (uint64_t i = commit->ended + 1; i < commit->submitted; i++)
            later = later || commit_batch(commit, i)->state == BATCH_DURABLE;
        if (batch->state != BATCH_DURABLE && !later)
            return;
"""),), CUTS),
    Mutation('a segment\'s header',
             ((SPARE, """    case SPARE_BEGINNING:
        medium_write(medium, spare->segment->object, spare->block, MEDIUM_BLOCK_BYTES, 0,
                     &spare->op);
""", """    case SPARE_BEGINNING:
        spare->under_way = false;
        spare->op.result = 0;
"""),), CUTS),
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
    Mutation('the anchor is durable before anything gets a number',
             ((COMMIT, 'commit->state == COMMIT_ANCHORING && commit->flights == 0',
               'commit->state == COMMIT_ANCHORING'),), FAULTS),
    Mutation('the step of numbers from run to run',
             ((RECOVER, 'return (end_lsn + LSN_STEP / 2 + LSN_STEP - 1) / LSN_STEP * LSN_STEP;',
               'return end_lsn;'),), CUTS),
    Mutation('numbers of what is lost are not given again',
             ((RECOVER, 'recover_next_lsn(chain.end_lsn + lost)', 'recover_next_lsn(1)'),), CUTS),
    Mutation('void batches', ((CHAIN, 'batch->counts = false;\n    }\n}', ';\n    }\n}'),), FAULTS),
    Mutation('a torn batch is no part of the log',
             ((CHAIN, 'if (batch->bad > 0 && !vouched)\n        return false;\n', ''),), CUTS),
    Mutation('a batch counts only behind the one before',
             ((CHAIN, 'return header->sequence - 1 <= chain->durable_upto;', 'return true;'),),
             CUTS),
    Mutation('CRC of the batch before',
             ((CHAIN, ' && header->previous_crc == chain->crc', ''),), UNIT['chain']),
    Mutation('numbers only grow',
             ((CHAIN, ' || header->first_lsn < chain->end_lsn', ''),), CUTS),
    Mutation('CRC of the batch before, and numbers only grow',
             ((CHAIN, ' && header->previous_crc == chain->crc', ''),
              (CHAIN, ' || header->first_lsn < chain->end_lsn', '')), CUTS),
    Mutation('a log goes on only in a sound segment',
             ((RECOVER, 'judged[chain->tail].hint || judged[chain->tail].damaged ||',
               'judged[chain->tail].hint ||'),), DAMAGE),
    Mutation('no hint of a damaged segment',
             ((RECOVER, '!judged[i].hint && !judged[i].damaged)\n            publish',
               '!judged[i].hint)\n            publish'),), DAMAGE),
    # ---- checksums, and who a thing says that it is ----
    Mutation('CRC of STORE',
             (('storage/identity.c', ' || read.crc != checksum(&read)', ''),), DAMAGE),
    Mutation('CRC of a segment\'s header',
             (('storage/segment.c', 'header.crc != checksum(&header) || ', ''),), DAMAGE),
    Mutation('CRC of a batch\'s header',
             ((BATCH, ' || read.crc != checksum(&read)', ''),), DAMAGE),
    Mutation('epoch in a batch\'s header',
             ((BATCH, 'read.epoch != place->epoch || ', ''),), DAMAGE),
    Mutation('epoch as the seed of a batch\'s CRC',
             ((BATCH, '(uint32_t)(header->epoch ^ header->epoch >> 32)', '0'),),
             UNIT['format']),
    Mutation('segment in a batch\'s header',
             ((BATCH, 'read.segment != place->segment ||', ''),), UNIT['batch']),
    Mutation('place in a batch\'s header',
             ((BATCH, '(uint64_t)read.block * MEDIUM_BLOCK_BYTES != place->offset || ', ''),),
             UNIT['batch']),
    Mutation('CRC of a record\'s header',
             ((RECORD, ' ||\n        header.header_crc != header_checksum(&header, seed)', ''),),
             DAMAGE),
    Mutation('CRC of a record\'s payload',
             ((RECORD, 'if (header.payload_crc != crc32c(', 'if (false && 0 != crc32c('),), DAMAGE),
    Mutation('CRC of a chunk in the message that it is of',
             ((FETCH, 'chunk.header.payload_crc == ref.crc &&', ''),), DAMAGE),
    Mutation('id of the message that is read',
             ((FETCH, 'link_of(&record->header, 0, 0).id == link->id &&', ''),),
             UNIT['fetch']),
    Mutation('CRC of a hint\'s header',
             ((HINT, 'read.header_crc != header_checksum(&read) || ', ''),), DAMAGE),
    Mutation('CRC of a hint\'s body',
             ((HINT, ' ||\n        read.body_crc != crc32c(0, bytes.data + sizeof(read), '
               'bytes.size - sizeof(read))', ''),), DAMAGE),
    # ---- compaction ----
    Mutation('sync of a new form\'s name',
             ((JOB, '{OPEN_HOME, PROBE, RENAME, SYNC_HOME, TIDYING}',
               '{OPEN_HOME, PROBE, RENAME, TIDYING}'),), MEDIUM_CUTS),
    Mutation('a new form takes the place when all of it is written',
             ((REWRITE, """        rewrite->step = REWRITE_REPLACE;
        write_bytes(rewrite, rewrite->block, MEDIUM_BLOCK_BYTES, 0);
""", """        rewrite->step = REWRITE_REPLACE;
"""),), ROUNDS),
    Mutation('both copies of hint and map',
             ((REWRITE, 'write_body(rewrite, header->back, REWRITE_LAST);',
               'rewrite->step = REWRITE_LAST;'),), ROUNDS),
    Mutation('a failed write ends a rewrite',
             ((REWRITE, 'if (rewrite->op.result < 0) {', 'if (false) {'),), UNIT['rewrite']),
    Mutation('a record is checked before it is moved',
             ((REWRITE, 'record_check(span_of(from, bytes), rewrite->record_seed, &record) != '
               'RECORD_GOOD ||', ''),), UNIT['rewrite']),
    Mutation('CRC of a compacted segment\'s header',
             (('storage/reclaim/compact.c', 'read.crc != checksum(&read) || ', ''),),
             UNIT['compact']),
    Mutation('CRC of a map',
             (('storage/reclaim/contents.c',
               'if (compact_map_checksum(header, map) != header->map_crc)',
               'if (false)'),), UNIT['contents']),
    Mutation('a damaged segment is never compacted',
             (('storage/reclaim/reclaim.c', 'segment->damaged || ', ''),), UNIT['reclaim']),
    Mutation('what is live stays',
             ((SURVEY, 'if (survey->questions[i].live)',
               'if (i % 8 && survey->questions[i].live)'),),
             ROUNDS),
    Mutation('what an owner may not have been given is live',
             (('storage/index/owner.c', 'enum owner_view view = OWNER_LIVE;',
               'enum owner_view view = OWNER_DEAD;'),), UNIT['liveness']),
    Mutation('chunks stay with their messages',
             (('storage/reclaim/plan.c', 'i < survey->chunk_count', 'i < 0'),), RECLAIM[1:]),
    Mutation('chunks of messages in later segments',
             ((SURVEY, 'segment->number > survey->number && segment->reach <= survey->number',
               'false'),), UNIT['survey']),
    Mutation('chunks of messages under way',
             (('storage/reclaim/reclaim.c', 'return staged < unsettled ? staged : unsettled;',
               'return UINT32_MAX;'),), UNIT['reclaim']),
    Mutation('a deletion stays while its message is in a segment that was never compacted',
             ((REMAINS, 'if (!here || target_keeps(survey, link_lsn(name->id)))', 'if (false)'),),
             RECLAIM),
    Mutation('a deletion stays while its message is in a compacted segment',
             ((REMAINS, 'remains->checks[at].number == entry.number; at++)\n'
               '            remains->survey->items[remains->checks[at].item].live = true;',
               'remains->checks[at].number == entry.number; at++)\n            continue;'),),
             RECLAIM),
    Mutation('a deletion stays until the index has it',
             ((REMAINS, 'survey->items[i].live = !is_covered(log->store, survey->shard, '
               'survey->items[i].number);', 'survey->items[i].live = false;'),), UNIT['remains']),
    Mutation('an index that lacks what was forgotten is made anew',
             ((RESTORE, 'is_ahead(restore) || is_behind(restore)', 'is_ahead(restore)'),), RECLAIM),
    Mutation('an index that is ahead of a log is made anew',
             ((RESTORE, 'is_ahead(restore) || is_behind(restore)', 'is_behind(restore)'),),
             UNIT['restore']),
    Mutation('what an index covers is not taken in again',
             ((REBUILD, 'number < upto || is_awaited', 'is_awaited'),), RECLAIM),
    Mutation('deletions that an index does not cover',
             ((REBUILD, 'entry->number < coverage_upto(rebuild->coverage, hash, shard)',
               'coverage_upto(rebuild->coverage, hash, shard) > 0'),), RECLAIM),
    Mutation('a run covers no deletion of a message that it does not cover',
             (('storage/index/owner.c', 'if (owner->deleted[log] > owner->seen[log])\n'
               '            return false;', ';'),), UNIT['owner']),
    Mutation('a new form begins where what it stands for did',
             ((COMPACTOR, '.first_sequence = segment_at(compactor, compactor->first)'
               '->first_sequence,\n        .first_lsn', '.first_sequence = old->first_sequence,\n'
               '        .first_lsn'),), ROUNDS),
    Mutation('no lost segment between two that become one',
             ((COMPACTOR, 'before->last_sequence + 1 == behind->first_sequence &&', ''),),
             UNIT['compactor']),
    Mutation('no given up segment between two that become one',
             ((COMPACTOR, ' &&\n           behind->since <= before->number + 1', ''),),
             (('tests/crash/faults', '--history', '9', '--fault', 'eio', '--operation', '91'),)),
    Mutation('what is before a segment that can\'t be removed stays',
             ((COMPACTOR, 'compactor->sweep = compactor->first * 2; /*', '/*'),),
             UNIT['compactor']),
    Mutation('what a new form stands for goes from the last one back',
             ((COMPACTOR, '--compactor->sweep / 2;',
               'compactor->first + compactor->place - --compactor->sweep / 2;'),
              (COMPACTOR, 'index = (compactor->sweep - 1) / 2;',
               'index = compactor->first + compactor->place - (compactor->sweep - 1) / 2;')),
             UNIT['compactor']),
    # ---- recycling ----
    Mutation('a blank header before the name',
             ((JOB, 'job->size = MEDIUM_BLOCK_BYTES;', 'job->size = 0;'),), ROUNDS),
    Mutation('sync of a blank header',
             ((JOB, '{OPEN_HOME, OPEN_RETIRED, FILL, SYNC_FILE, RENAME,',
               '{OPEN_HOME, OPEN_RETIRED, FILL, RENAME,'),), ROUNDS),
    Mutation('a blank header is no damage',
             (('storage/segment.c', 'return SEGMENT_BLANK;', 'return SEGMENT_BAD;'),), ROUNDS),
    Mutation('a batch of its number behind a blank header is',
             ((SCAN, '(scan->check == SEGMENT_BLANK && known) ||', ''),), UNIT['scan']),
    Mutation('sync of a new form\'s name before the old one is recycled',
             ((JOB, 'UNLINK_KEPT, LINK_KEPT, RENAME, SYNC_HOME, TIDYING}',
               'UNLINK_KEPT, LINK_KEPT, RENAME, TIDYING}'),), MEDIUM_CUTS),
    Mutation('nothing is recycled that may be alive',
             ((SPARE, '{\n    spare->retired = SPARE_RETIRED_UNSURE;\n}',
               '{\n    spare->retired = SPARE_RETIRED_KEPT;\n}'),), UNIT['spare']),
    Mutation('nothing is recycled that has its own name still',
             ((LOCK, 'if (about.st_nlink != 1)', 'if (false)'),), UNIT['file_lock']),
    Mutation('nothing is recycled under a reader',
             ((LOCK, 'if (flock(fd, LOCK_EX | LOCK_NB) < 0)\n        return errno',
               'if (false)\n        return errno'),), UNIT['medium_rewrite']),
    Mutation('readers hold locks',
             ((LOCK, 'flock(fd, LOCK_SH | LOCK_NB) < 0 ? errno : 0', '0'),),
             UNIT['medium_rewrite']),
    Mutation('readers that come too late look again',
             ((LOCK, 'if (error == 0 && file_lock_is_named(root, path, fd))', 'if (error == 0)'),),
             UNIT['file_lock']),
    Mutation('an epoch drawn anew for each segment',
             ((SPARE, '{spare->seed, spare->shard, spare->number}',
               '{spare->seed, spare->shard}'),),
             UNIT['spare']),
    # ---- broken stores ----
    Mutation('a store that loses a recipient\'s copy at its next start',
             ((REBUILD, 'i < entry->links && hint_next', 'i < 1 && hint_next'),), CUTS),
    Mutation('a store that shows a message twice',
             (('storage/index/delta.c', """    mailbox->links[mailbox->count++] = *link;
    delta->links++;
""", """    mailbox->links[mailbox->count++] = *link;
    mailbox->links = room(delta, mailbox->links, mailbox->count, &mailbox->capacity);
    mailbox->links[mailbox->count++] = *link;
    delta->links++;
"""),), CUTS),
    Mutation('a store that swaps two bytes of a body',
             (('storage/append.c', '    commit_add(&log->commit, &slot, &header, &cookie);',
               '    uint8_t swapped = out[1];\n    out[1] = out[0];\n    out[0] = swapped;\n'
               '    commit_add(&log->commit, &slot, &header, &cookie);'),), CUTS),
    Mutation('a store that forgets deletions at its next start',
             ((REBUILD, 'if (id != 0)\n            delete_link', 'if (id == 0)\n'
               '            delete_link'),), CUTS),
    Mutation('a store that delivers to somebody else',
             ((REBUILD, 'add_link(rebuild, name, &link);',
               'add_link(rebuild, SPAN("a@x"), &link);'),), CUTS),
    Mutation('a store that serves what fails its checks',
             ((FETCH, 'record) != RECORD_GOOD)\n        return false;',
               'record) == RECORD_BAD_HEADER)\n        return false;\n'
               '    record_view(job->record_buffer, record);'),), DAMAGE),
    Mutation('a store that takes torn for damaged',
             ((CHAIN, 'uint64_t last = until < chain->durable_upto ? until : chain->durable_upto;',
               'uint64_t last = until;'),
              (CHAIN, 'return header->sequence - 1 <= chain->durable_upto;', 'return true;')),
             CUTS),
    Mutation('a store that takes damaged for torn',
             ((CHAIN, 'if (segments[i].hint && segments[i].hint->last_sequence > durable_upto)',
               'if (false)'),
              (CHAIN, 'batches[b].counts && scan->batches[b].header.durable_upto > durable_upto',
               'batches[b].counts && false')), DAMAGE),
)
