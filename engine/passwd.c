#include "engine/passwd.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_BYTES_MAX (256u << 20)
#define DES_BYTES 13
#define NAME_TEXT_BYTES 80

/* How a hash is made. ANY is what the scheme CRYPT asks for: whatever libcrypt recognises. */
enum family {
    PLAIN,
    MD5,
    BLOWFISH,
    SHA256,
    SHA512,
    YESCRYPT,
    DES,
    OTHER,
    FAMILIES,
    ANY = FAMILIES
};

/* Hashes by their prefix; `tail_bytes` follow the last '$' (crypt(5)), so that a hash cut short in
 * copying is found when the file is read and not when its user can't log in. */
static const struct {
    const char *prefix;
    size_t tail_bytes;
} families[FAMILIES] = {
    [MD5] = {"$1$", 22},    [BLOWFISH] = {"$2", 53},  [SHA256] = {"$5$", 43},
    [SHA512] = {"$6$", 86}, [YESCRYPT] = {"$y$", 43},
};

static const struct {
    const char *name;
    enum family family;
} schemes[] = {
    {"PLAIN", PLAIN},        {"CLEARTEXT", PLAIN},     {"CRYPT", ANY},           {"MD5-CRYPT", MD5},
    {"BLF-CRYPT", BLOWFISH}, {"SHA256-CRYPT", SHA256}, {"SHA512-CRYPT", SHA512},
};

struct entry {
    struct span user;
    const char *hash; /* NUL-terminated, without {SCHEME} */
    enum family family;
    uint32_t line; /* 1 … */
};

struct passwd {
    char *text; /* the file; the entries point into it */
    size_t text_bytes;
    struct entry *entries;
    uint32_t count;
    uint32_t *slots; /* 1 + index of an entry, 0: free; linear probing */
    uint32_t slot_mask;
    const struct entry *decoy; /* of the commonest family; NULL when there are no users */
};

/* ------------------------------------------------------------------------- reading ---- */

static enum status read_all(int fd, char *text, size_t capacity, size_t *size)
{
    size_t total = 0;
    while (total < capacity) {
        ssize_t got = read(fd, text + total, capacity - total);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return status_from_errno(errno);
        if (got == 0)
            break;
        total += (size_t)got;
    }
    *size = total;
    return STATUS_OK;
}

/* The file's text with a NUL after it. */
static enum status read_open_file(int fd, const char *path, struct passwd *passwd,
                                  struct fault *fault)
{
    struct stat stat;
    if (fstat(fd, &stat) < 0)
        return fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
    if (!S_ISREG(stat.st_mode) || stat.st_size > FILE_BYTES_MAX)
        return fault_set(fault, STATUS_CONFIG, "%s: not a regular file of at most 256 MiB", path);
    size_t capacity = (size_t)stat.st_size;
    passwd->text = malloc(capacity + 1);
    if (!passwd->text)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory for %zu bytes", path, capacity);
    enum status status = read_all(fd, passwd->text, capacity, &passwd->text_bytes);
    if (status != STATUS_OK)
        return fault_set(fault, status, "%s: %s", path, strerror(errno));
    passwd->text[passwd->text_bytes] = '\0';
    return STATUS_OK;
}

static enum status read_file(struct passwd *passwd, const char *path, struct fault *fault)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return fault_set(fault, status_from_errno(errno), "%s: %s", path, strerror(errno));
    enum status status = read_open_file(fd, path, passwd, fault);
    close(fd);
    return status;
}

/* ------------------------------------------------------------------------- one line ----
 *
 * The functions that parse return what is wrong, for the fault, or NULL. */

/* Whether `hash` looks like one of `family`, that is, ends as its hashes do. */
static bool has_shape(const char *hash, enum family family)
{
    if (strncmp(hash, families[family].prefix, strlen(families[family].prefix)) != 0)
        return false;
    return strlen(strrchr(hash, '$') + 1) == families[family].tail_bytes;
}

static const char *classify_crypt(const char *hash, enum family *family)
{
    enum family found = OTHER;
    for (enum family candidate = MD5; candidate <= YESCRYPT; candidate++)
        if (strncmp(hash, families[candidate].prefix, strlen(families[candidate].prefix)) == 0)
            found = candidate;
    if (hash[0] != '$' && hash[0] != '_')
        found = DES;
    if (found <= YESCRYPT && !has_shape(hash, found))
        return "the hash is damaged";
    if (found == DES && strlen(hash) != DES_BYTES)
        return "the hash is of no known kind (a password in clear needs {PLAIN})";
    int salt = crypt_checksalt(hash);
    if (salt == CRYPT_SALT_INVALID || salt == CRYPT_SALT_METHOD_DISABLED)
        return "the hash is of no known kind (a password in clear needs {PLAIN})";
    *family = found;
    return NULL;
}

static const char *parse_hash(char *field, struct entry *entry)
{
    enum family wanted = ANY;
    if (field[0] == '{') {
        char *end = strchr(field, '}');
        if (!end)
            return "{ without }";
        struct span name = span_of(field + 1, (size_t)(end - field) - 1);
        size_t i = 0, count = sizeof schemes / sizeof *schemes;
        while (i < count && !span_equal_nocase(name, span_text(schemes[i].name)))
            i++;
        if (i == count)
            return "unknown scheme (PLAIN, CLEARTEXT, CRYPT, MD5-CRYPT, BLF-CRYPT, SHA256-CRYPT or "
                   "SHA512-CRYPT)";
        wanted = schemes[i].family;
        field = end + 1;
    }
    if (field[0] == '\0')
        return "no password";
    entry->hash = field;
    entry->family = PLAIN;
    if (wanted == PLAIN)
        return NULL;
    const char *wrong = classify_crypt(field, &entry->family);
    if (!wrong && wanted != ANY && entry->family != wanted)
        return "the hash is not of its scheme";
    return wrong;
}

/* "user:{SCHEME}hash:…", NUL-terminated; cuts it into its fields. */
static const char *parse_line(char *line, struct entry *entry)
{
    char *colon = strchr(line, ':');
    if (!colon)
        return "not user:{SCHEME}hash";
    if (colon == line)
        return "no user name";
    entry->user = span_of(line, (size_t)(colon - line));
    char *hash = colon + 1;
    hash[strcspn(hash, ":")] = '\0';
    return parse_hash(hash, entry);
}

/* ------------------------------------------------------------------------- the table ---- */

static uint32_t find_slot(const struct passwd *passwd, struct span user)
{
    uint32_t slot = (uint32_t)hash64(user, 0) & passwd->slot_mask;
    while (passwd->slots[slot] != 0 &&
           !span_equal(passwd->entries[passwd->slots[slot] - 1].user, user))
        slot = (slot + 1) & passwd->slot_mask;
    return slot;
}

static const struct entry *find_entry(const struct passwd *passwd, struct span user)
{
    uint32_t index = passwd->slots[find_slot(passwd, user)];
    return index == 0 ? NULL : &passwd->entries[index - 1];
}

/* Room for a user on every line, with at least half of the slots free. */
static enum status make_table(struct passwd *passwd, const char *path, struct fault *fault)
{
    uint32_t lines = 1, slots = 4;
    for (size_t i = 0; i < passwd->text_bytes; i++)
        lines += passwd->text[i] == '\n';
    while (slots < 2 * lines)
        slots *= 2;
    passwd->entries = calloc(lines, sizeof *passwd->entries);
    passwd->slots = calloc(slots, sizeof *passwd->slots);
    passwd->slot_mask = slots - 1;
    if (!passwd->entries || !passwd->slots)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory for %u users", path, lines);
    return STATUS_OK;
}

static enum status add_line(struct passwd *passwd, char *text, uint32_t line, const char *path,
                            struct fault *fault)
{
    struct entry *entry = &passwd->entries[passwd->count];
    *entry = (struct entry){.line = line};
    const char *wrong = parse_line(text, entry);
    if (wrong)
        return fault_set(fault, STATUS_CONFIG, "%s:%u: %s", path, line, wrong);
    uint32_t slot = find_slot(passwd, entry->user);
    if (passwd->slots[slot] != 0) {
        char name[NAME_TEXT_BYTES];
        return fault_set(fault, STATUS_CONFIG, "%s:%u: user %s is on line %u already", path, line,
                         log_escape(entry->user, name, sizeof name),
                         passwd->entries[passwd->slots[slot] - 1].line);
    }
    passwd->slots[slot] = ++passwd->count;
    return STATUS_OK;
}

static enum status parse_file(struct passwd *passwd, const char *path, struct fault *fault)
{
    char *end = passwd->text + passwd->text_bytes;
    uint32_t line = 1;
    for (char *text = passwd->text; text < end; line++) {
        char *line_end = memchr(text, '\n', (size_t)(end - text));
        if (!line_end)
            line_end = end;
        if (memchr(text, '\0', (size_t)(line_end - text)))
            return fault_set(fault, STATUS_CONFIG, "%s:%u: a NUL byte", path, line);
        *line_end = '\0';
        if (line_end > text && line_end[-1] == '\r')
            line_end[-1] = '\0';
        bool is_blank = text[strspn(text, " \t")] == '\0';
        if (!is_blank && text[0] != '#') {
            enum status status = add_line(passwd, text, line, path, fault);
            if (status != STATUS_OK)
                return status;
        }
        text = line_end + 1;
    }
    return STATUS_OK;
}

static void choose_decoy(struct passwd *passwd)
{
    uint32_t counts[FAMILIES] = {0}, most = 0;
    for (uint32_t i = 0; i < passwd->count; i++)
        counts[passwd->entries[i].family]++;
    for (uint32_t i = 0; i < passwd->count; i++) {
        const struct entry *entry = &passwd->entries[i];
        if (counts[entry->family] > most) {
            most = counts[entry->family];
            passwd->decoy = entry;
        }
    }
}

enum status passwd_load(struct passwd **passwd, const char *path, struct fault *fault)
{
    struct passwd *loaded = calloc(1, sizeof *loaded);
    if (!loaded)
        return fault_set(fault, STATUS_SYSTEM, "%s: no memory", path);
    enum status status = read_file(loaded, path, fault);
    if (status == STATUS_OK)
        status = make_table(loaded, path, fault);
    if (status == STATUS_OK)
        status = parse_file(loaded, path, fault);
    if (status != STATUS_OK) {
        passwd_free(loaded);
        return status;
    }
    choose_decoy(loaded);
    *passwd = loaded;
    return STATUS_OK;
}

void passwd_free(struct passwd *passwd)
{
    if (!passwd)
        return;
    if (passwd->text)
        explicit_bzero(passwd->text, passwd->text_bytes);
    free(passwd->text);
    free(passwd->entries);
    free(passwd->slots);
    free(passwd);
}

uint32_t passwd_count(const struct passwd *passwd)
{
    return passwd->count;
}

/* ------------------------------------------------------------------------- checking ---- */

/* In a time that depends on the length of `given` alone. */
static bool equal_in_constant_time(const char *given, const char *right)
{
    size_t given_bytes = strlen(given), right_bytes = strlen(right);
    unsigned difference = given_bytes != right_bytes;
    for (size_t i = 0; i < given_bytes; i++)
        difference |= (unsigned char)given[i] ^ (unsigned char)right[i < right_bytes ? i : 0];
    return difference == 0;
}

static bool matches(const struct entry *entry, const char *password, struct crypt_data *scratch)
{
    if (entry->family == PLAIN)
        return equal_in_constant_time(password, entry->hash);
    const char *made = crypt_rn(password, entry->hash, scratch, sizeof *scratch);
    bool same = made && equal_in_constant_time(made, entry->hash);
    explicit_bzero(scratch, sizeof *scratch);
    return same;
}

bool passwd_check(const struct passwd *passwd, struct span user, struct span password,
                  struct crypt_data *scratch)
{
    INVARIANT(passwd && scratch);
    char text[CRYPT_MAX_PASSPHRASE_SIZE] = "";
    bool usable = password.size > 0 && password.size < sizeof text &&
                  !memchr(password.data, '\0', password.size);
    if (usable)
        memcpy(text, password.data, password.size);
    const struct entry *entry = find_entry(passwd, user);
    const struct entry *tried = entry ? entry : passwd->decoy;
    bool same = tried && matches(tried, text, scratch);
    explicit_bzero(text, sizeof text);
    return same && entry && usable;
}
