#include "tests/crash/states.h"

#include "base/invariant.h"

/* ---- what may be ---- */

static void add_unit(struct states *states, enum states_unit_kind kind, uint32_t pending,
                     uint32_t sector)
{
    INVARIANT(states->units_count < STATES_UNITS_MAX);
    states->units[states->units_count++] = (struct states_unit){kind, pending, sector};
}

static uint32_t sector_size(const struct event *event, uint32_t sector)
{
    uint32_t left = event->size - sector * IMAGE_SECTOR_BYTES;
    return left < IMAGE_SECTOR_BYTES ? left : IMAGE_SECTOR_BYTES;
}

static const uint8_t *sector_bytes(const struct event *event, uint32_t sector)
{
    return event->bytes ? event->bytes + sector * IMAGE_SECTOR_BYTES : NULL;
}

static uint64_t sector_offset(const struct event *event, uint32_t sector)
{
    return event->offset + (uint64_t)sector * IMAGE_SECTOR_BYTES;
}

/* Whether it matters if the sector is written: beyond the file's end there are zeroes so far. */
static bool sector_changes(const struct image *base, const struct event *event, uint32_t sector)
{
    const uint8_t *bytes = sector_bytes(event, sector);
    if (sector_offset(event, sector) >= image_size(base, event->node))
        return bytes != NULL;
    return !image_holds(base, event->node, bytes, sector_size(event, sector),
                        sector_offset(event, sector));
}

static bool grows(const struct states *states, const struct event *event)
{
    uint64_t bytes = event->offset + (event->kind == EVENT_WRITE ? event->size : 0);
    return (event->kind == EVENT_WRITE || event->kind == EVENT_RESIZE) &&
           bytes > image_size(states->walker->base, event->node);
}

static void add_write(struct states *states, uint32_t place)
{
    const struct pending *pending = &states->walker->pending[place];
    const struct event *event = event_of(states->walker, pending);
    if (grows(states, event))
        add_unit(states, UNIT_SIZE, place, 0);
    for (uint32_t sector = 0; sector < event_sectors(event); sector++)
        if (pending_is_alive(pending, sector) &&
            sector_changes(states->walker->base, event, sector))
            add_unit(states, UNIT_SECTOR, place, sector);
}

void states_init(struct states *states, const struct walker *walker, uint32_t most)
{
    bool any_grows = false;
    states->walker = walker;
    states->units_count = 0;
    for (uint32_t i = 0; i < walker->pending_count; i++)
        any_grows = any_grows || grows(states, event_of(walker, &walker->pending[i]));
    if (any_grows) {
        add_unit(states, UNIT_SHORT, 0, 0);
        add_unit(states, UNIT_SOILED, 0, 0);
    }
    for (uint32_t i = 0; i < walker->pending_count; i++) {
        if (event_of(walker, &walker->pending[i])->kind == EVENT_WRITE)
            add_write(states, i);
        else
            add_unit(states, UNIT_CHANGE, i, 0);
    }
    states->sampled = states->units_count >= 31 || 1u << states->units_count > most;
    states->count = states->sampled ? most : 1u << states->units_count;
}

/* ---- choosing ---- */

struct choice { /* a bit per unit */
    uint64_t bits[STATES_UNITS_MAX / 64];
};

static bool is_chosen(const struct choice *choice, uint32_t unit)
{
    return choice->bits[unit / 64] >> unit % 64 & 1;
}

static void choose(struct choice *choice, uint32_t unit, bool chosen)
{
    choice->bits[unit / 64] |= (uint64_t)chosen << unit % 64;
}

static void draw_choice(const struct states *states, uint32_t number, struct random *random,
                        struct choice *choice)
{
    uint64_t one = random_below(random, states->units_count);
    uint64_t whole = random_next(random), draw = random_next(random);
    bool torn = random_below(random, 2);
    for (uint32_t i = 0; i < states->units_count; i++) {
        uint32_t place = states->units[i].pending;
        if (i > 0 && place != states->units[i - 1].pending)
            draw = random_next(random);
        bool chosen = torn ? draw_chooses(draw, i) : whole >> place % 64 & 1;
        if (number < 2) /* nothing, everything */
            chosen = number;
        else if (number < 4 || number % 8 == 0) /* only one, all but one */
            chosen = (i == one) == (number % 2 == 0);
        choose(choice, i, chosen);
    }
}

/* ---- making ---- */

struct making {
    struct image *image;
    struct random random;
    bool is_short, is_soiled;
};

static void soil(struct making *making, uint32_t node, uint64_t from)
{
    struct image *image = making->image;
    struct random *random = &making->random;
    uint32_t other = (uint32_t)random_below(random, image->count);
    uint64_t odds = 1 + random_below(random, 8);
    for (uint64_t at = from; at < image_size(image, node); at += IMAGE_SECTOR_BYTES) {
        uint64_t sector[IMAGE_SECTOR_BYTES / sizeof(uint64_t)];
        if (random_below(random, 8) >= odds)
            continue;
        if (image_read(image, other, sector, sizeof(sector), at) != sizeof(sector))
            for (size_t i = 0; i < sizeof(sector) / sizeof(*sector); i++)
                sector[i] = random_next(random);
        image_write(image, node, sector, sizeof(sector), at);
    }
}

static void grow(struct making *making, const struct event *event)
{
    uint64_t old = image_size(making->image, event->node);
    uint64_t bytes = event->offset + (event->kind == EVENT_WRITE ? event->size : 0);
    if (bytes <= old)
        return;
    if (making->is_short)
        bytes = old + random_below(&making->random, bytes - old);
    image_resize(making->image, event->node, bytes);
    if (making->is_soiled)
        soil(making, event->node, old / IMAGE_SECTOR_BYTES * IMAGE_SECTOR_BYTES);
}

static void make_unit(struct making *making, const struct states_unit *unit,
                      const struct event *event)
{
    switch (unit->kind) {
    case UNIT_SHORT:
        making->is_short = true;
        break;
    case UNIT_SOILED:
        making->is_soiled = true;
        break;
    case UNIT_SIZE:
        grow(making, event);
        break;
    case UNIT_SECTOR:
        image_write(making->image, event->node, sector_bytes(event, unit->sector),
                    sector_size(event, unit->sector), sector_offset(event, unit->sector));
        break;
    case UNIT_CHANGE:
        if (event->kind == EVENT_RESIZE)
            grow(making, event);
        else
            event_apply(event, making->image, NULL, NULL);
        break;
    }
}

struct image *states_make(const struct states *states, uint32_t number, uint64_t seed)
{
    const struct walker *walker = states->walker;
    struct choice choice = {{number}};
    struct making making = {.random = {.state = seed ^ (uint64_t)walker->at << 32 ^ number}};
    if (states->sampled) {
        choice = (struct choice){{0}};
        draw_choice(states, number, &making.random, &choice);
    }
    making.image = image_copy(walker->base);
    for (uint32_t i = 0; i < states->units_count; i++)
        if (is_chosen(&choice, i))
            make_unit(&making, &states->units[i],
                      event_of(walker, &walker->pending[states->units[i].pending]));
    return making.image;
}
