/* The medium's own contract (storage/medium/medium.h), in every state: what has ended is there,
 * whatever the store would make of it if it were not.
 *
 * One operation after the other, drawn from a seed, on one medium. In each state a fresh medium
 * must list and read exactly what the operations that had ended have made; of the one under way, a
 * directory's change has happened or not, and only the range written, the spare being prepared, the
 * new form being written or what is on its way from one life to the next may be anything. */
#ifndef TESTS_CRASH_CONTRACT_H
#define TESTS_CRASH_CONTRACT_H

#include "tests/crash/kernel.h"

#define CONTRACT_OPERATIONS 16u
#define CONTRACT_TEXT_BYTES 200u

struct contract;

/* A journal of operations from this seed. */
struct contract *contract_open(uint64_t seed, const struct kernel_options *options);
void contract_close(struct contract *contract);
const struct journal *contract_journal(const struct contract *contract);

/* Whether an image is what the operations have promised, of which `begun` were begun and `ended`
 * ended: the notes in the journal count them (kinds CONTRACT_BEGUN and CONTRACT_ENDED). */
enum contract_note { CONTRACT_BEGUN, CONTRACT_ENDED };
bool contract_check(const struct contract *contract, const struct image *image, uint32_t begun,
                    uint32_t ended, char text[CONTRACT_TEXT_BYTES]);

#endif
