#include "tests/crash/truth.h"

#include "base/invariant.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#define ID_SHARD_SHIFT 52 /* a message's id: the shard above, a number below */

void truth_init(struct truth *truth, const struct letters *letters)
{
    *truth = (struct truth){.letters = letters};
}

void truth_take(struct truth *truth, const struct journal_note *note)
{
    static const enum letter_fate fates[] = {
        [NOTE_SENT] = FATE_IN_THE_AIR,   [NOTE_ACKED] = FATE_STORED, [NOTE_REFUSED] = FATE_REFUSED,
        [NOTE_UNSURE] = FATE_IN_THE_AIR, [NOTE_FOUND] = FATE_STORED, [NOTE_LOST] = FATE_REFUSED,
    };
    static const enum letter_deletion deletions[] = {
        [NOTE_DELETING] = DELETION_IN_THE_AIR,
        [NOTE_DELETED] = DELETION_DONE,
        [NOTE_KEPT] = DELETION_NONE,
    };
    truth->version +=
        note->kind != NOTE_SENT && note->kind != NOTE_DELETING && note->kind != NOTE_EXPIRES;
    switch (note->kind) {
    case NOTE_DELETING:
    case NOTE_DELETED:
    case NOTE_KEPT:
        truth->deletions[note->subject][note->detail] = deletions[note->kind];
        break;
    case NOTE_SETTLED:
        break;
    case NOTE_EXPIRES:
        truth->expires[note->subject] = true;
        break;
    case NOTE_INDEX:
        truth->index = note->subject;
        break;
    default:
        INVARIANT(note->kind < sizeof(fates) / sizeof(*fates));
        truth->fates[note->subject] = fates[note->kind];
        break;
    }
}

/* ---- checking ---- */

struct check {
    const struct truth *truth;
    const struct view *view;
    enum truth_weather weather;
    bool excused; /* damage was named, or can't be */
    uint8_t seen[TRUTH_LETTERS_MAX][TRUTH_MAILBOXES];
    bool unreadable[TRUTH_LETTERS_MAX]; /* the index has it, perhaps for some alone */
    char *text;
};

static bool complain(struct check *check, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static bool complain(struct check *check, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(check->text, TRUTH_TEXT_BYTES, format, arguments);
    va_end(arguments);
    return false;
}

/* The letter with this id that had been sent by now. */
static uint32_t letter_of(const struct truth *truth, uint64_t id)
{
    for (uint32_t i = 0; i < truth->letters->count; i++)
        if (truth->letters->items[i].id == id && truth->fates[i] != FATE_UNSENT)
            return i;
    return UINT32_MAX;
}

static bool check_sight(struct check *check, const struct sight *sight)
{
    uint32_t number = letter_of(check->truth, sight->id);
    if (number == UINT32_MAX)
        return complain(check, "mailbox %c: a message that nobody has sent (%" PRIx64 ")",
                        'a' + sight->mailbox, sight->id);
    const struct letter *letter = &check->truth->letters->items[number];
    if (sight->place >= strlen(letter->mailboxes) ||
        letter->mailboxes[sight->place] != (char)('a' + sight->mailbox))
        return complain(check, "message %u is in mailbox %c, which is not its recipient %u", number,
                        'a' + sight->mailbox, sight->place);
    if (check->seen[number][sight->mailbox]++ > 0)
        return complain(check, "message %u is in mailbox %c twice", number, 'a' + sight->mailbox);
    check->unreadable[number] = check->unreadable[number] || sight->status != STATUS_OK;
    if (sight->status != STATUS_OK)
        return check->weather != WEATHER_FAIR ||
               complain(check, "message %u can't be read: %s", number, status_text(sight->status));
    if (sight->digest != letter->digest || sight->octets != letter->octets)
        return complain(check, "message %u has other bytes than were sent", number);
    return true;
}

static bool check_recipient(struct check *check, uint32_t number, uint32_t mailbox)
{
    const struct truth *truth = check->truth;
    enum letter_deletion deletion = truth->deletions[number][mailbox];
    bool here = check->seen[number][mailbox];
    if (here && deletion == DELETION_DONE && !check->excused)
        return complain(check, "message %u was deleted from mailbox %c and is back", number,
                        'a' + mailbox);
    if (here && truth->fates[number] == FATE_REFUSED && !check->excused)
        return complain(check, "message %u was refused, and is in mailbox %c", number,
                        'a' + mailbox);
    if (!here && deletion == DELETION_NONE && truth->fates[number] == FATE_STORED &&
        !truth->expires[number] && !check->excused)
        return complain(check, "message %u was acknowledged and is lost from mailbox %c", number,
                        'a' + mailbox);
    return true;
}

static bool check_letter(struct check *check, uint32_t number)
{
    uint32_t here = 0, wanted = 0;
    for (const char *letter = check->truth->letters->items[number].mailboxes; *letter; letter++) {
        uint32_t mailbox = (uint32_t)(*letter - 'a');
        if (!check_recipient(check, number, mailbox))
            return false;
        if (check->truth->deletions[number][mailbox] != DELETION_NONE)
            continue;
        wanted++;
        here += check->seen[number][mailbox];
    }
    if (here != 0 && here != wanted && !check->truth->expires[number] && !check->unreadable[number])
        return complain(check, "message %u is there for %u of %u recipients", number, here, wanted);
    return true;
}

static bool check_ids(struct check *check)
{
    for (uint32_t i = 0; i < check->truth->letters->count; i++) {
        uint64_t id = check->truth->letters->items[i].id, shard = id >> ID_SHARD_SHIFT;
        if (check->truth->fates[i] != FATE_UNSENT && shard < check->view->shards &&
            check->view->next_ids[shard] <= id && !check->excused)
            return complain(check, "the id of message %u will be given again", i);
    }
    return true;
}

static bool is_lost(const struct check *check, uint32_t number)
{
    const struct truth *truth = check->truth;
    for (const char *name = truth->letters->items[number].mailboxes; *name; name++)
        if (truth->fates[number] == FATE_STORED && !check->seen[number][*name - 'a'] &&
            truth->deletions[number][*name - 'a'] == DELETION_NONE && !truth->expires[number])
            return true;
    return false;
}

static bool is_seen_at_all(const struct check *check, uint32_t number)
{
    for (uint32_t i = 0; i < TRUTH_MAILBOXES; i++)
        if (check->seen[number][i])
            return true;
    return false;
}

/* Without an alarm nothing of a log is there behind what is lost. */
static bool check_ends(struct check *check)
{
    const struct letters *letters = check->truth->letters;
    for (uint32_t i = 0; i < letters->count; i++)
        for (uint32_t j = 0; is_lost(check, i) && j < letters->count; j++)
            if (letters->items[j].id > letters->items[i].id &&
                letters->items[j].id >> ID_SHARD_SHIFT == letters->items[i].id >> ID_SHARD_SHIFT &&
                is_seen_at_all(check, j))
                return complain(check, "message %u is lost before message %u, in silence", i, j);
    return true;
}

bool truth_check(const struct truth *truth, const struct view *view, enum truth_weather weather,
                 char text[TRUTH_TEXT_BYTES])
{
    struct check check = {.truth = truth, .view = view, .weather = weather, .text = text};
    check.excused = weather == WEATHER_LIED || (weather == WEATHER_DAMAGED && view->alarms > 0);
    if (view->fault[0])
        return weather != WEATHER_FAIR || complain(&check, "the store: %.150s", view->fault);
    if (view->alarms > 0 && weather == WEATHER_FAIR)
        return complain(&check, "a false alarm: %.150s", view->alarm);
    if (view->strangers > 0)
        return complain(&check, "a mailbox that nobody has written to");
    for (uint32_t i = 0; i < view->count; i++)
        if (!check_sight(&check, &view->sights[i]))
            return false;
    for (uint32_t i = 0; i < truth->letters->count; i++)
        if (!check_letter(&check, i))
            return false;
    if (weather == WEATHER_LIED && view->alarms == 0 && !check_ends(&check))
        return false;
    return check_ids(&check);
}

/* ---- settling ---- */

static bool is_seen(const struct view *view, uint64_t id, uint32_t mailbox)
{
    for (uint32_t i = 0; i < view->count; i++)
        if (view->sights[i].id == id && view->sights[i].mailbox == mailbox)
            return true;
    return false;
}

static void settle_letter(const struct truth *truth, const struct view *view,
                          struct journal *journal, uint32_t number)
{
    const struct letter *letter = &truth->letters->items[number];
    bool any = false;
    for (const char *name = letter->mailboxes; *name; name++) {
        uint32_t mailbox = (uint32_t)(*name - 'a');
        bool here = is_seen(view, letter->id, mailbox);
        any = any || here;
        enum letter_deletion deletion = truth->deletions[number][mailbox];
        if (deletion == DELETION_IN_THE_AIR && here)
            journal_note(journal, NOTE_KEPT, number, mailbox);
        else if (deletion == DELETION_IN_THE_AIR ||
                 (deletion == DELETION_NONE && !here && truth->expires[number]))
            journal_note(journal, NOTE_DELETED, number, mailbox);
    }
    if (truth->fates[number] == FATE_IN_THE_AIR)
        journal_note(journal, any ? NOTE_FOUND : NOTE_LOST, number, 0);
}

void truth_settle(const struct truth *truth, const struct view *view, struct journal *journal)
{
    for (uint32_t i = 0; i < truth->letters->count; i++)
        settle_letter(truth, view, journal, i);
    journal_note(journal, NOTE_SETTLED, 0, 0);
}

bool view_same(const struct view *one, const struct view *other)
{
    if (one->count != other->count)
        return false;
    for (uint32_t i = 0; i < one->count; i++) {
        const struct sight *a = &one->sights[i], *b = &other->sights[i];
        if (a->mailbox != b->mailbox || a->id != b->id || a->place != b->place ||
            a->status != b->status || a->digest != b->digest || a->octets != b->octets)
            return false;
    }
    return true;
}
