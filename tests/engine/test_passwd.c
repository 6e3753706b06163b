#include "engine/passwd.h"

#include "tests/check_main.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPLATE "/tmp/test_passwd.XXXXXX"

/* "secret word", by openssl passwd and crypt(3). */
#define DES "abTEnEIYunOEo"
#define MD5 "$1$saltsalt$dKvKQdMKQstBDuhsjfeqR1"
#define SHA256 "$5$saltsalt$TMstmfyDkEKUzCM2cfg8cAVXyYwWzO5hkmSBo1emCg6"
#define SHA512                                                                                     \
    "$6$saltsalt$Gbd7qCDlJSddZ9S5ri9ajiQJKxrbcZm6VQVUgvH3MPS64F04DY8tRDK9uBQT/"                    \
    "2Mr1LV40gv.JBbSMCRKp6QE21"
#define SHA512_CHEAP                                                                               \
    "$6$rounds=1000$saltsalt$UAvNWimCHicMjCrJkB.ShbcMDmn7Ins43QLvcd077tn.ukMYvoFZzAItyyd5BjDXLyf"  \
    "Vnm0RvZbWpuhfVrhT9."
#define BLOWFISH "$2b$04$saltsaltsaltsaltsaltseGVZ3YwMD9sSBuXHP0MSMFosbMT0OPzy"
#define YESCRYPT "$y$j75$k2XAnEHBqQ1Ct2aMXFKNa/$73PfE5dKymJGN/cioMYZM1Vo5At/DZ0XDYYW0q.Qir5"
#define GOST_YESCRYPT "$gy$j75$k2XAnEHBqQ1Ct2aMXFKNa/$vEEwabcHmCYi1pfRqzf30N.VvB8a3ITZt3DeeuwXZb9"
#define SHA1 "$sha1$64$saltsalt$ES6lRLartLkepndeurg.N7SY2HDB"

static char path[sizeof TEMPLATE];
static struct crypt_data scratch;
static struct passwd *passwd;
static struct fault fault;

static void make_file(void)
{
    memcpy(path, TEMPLATE, sizeof path);
    int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
}

static void remove_file(void)
{
    passwd_free(passwd);
    passwd = NULL;
    unlink(path);
}

static enum status load(struct span text)
{
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(text.data, 1, text.size, file), text.size);
    ck_assert_int_eq(fclose(file), 0);
    return passwd_load(&passwd, path, &fault);
}

static bool check(const char *user, const char *password)
{
    return passwd_check(passwd, span_text(user), span_text(password), &scratch);
}

/* ------------------------------------------------------------------------- schemes ---- */

static const char *const hashes[] = {
    "{PLAIN}secret word",
    "{CLEARTEXT}secret word",
    "{plain}secret word",
    DES,
    MD5,
    SHA256,
    SHA512,
    BLOWFISH,
    YESCRYPT,
    GOST_YESCRYPT,
    SHA1,
    "{CRYPT}" DES,
    "{CRYPT}" SHA512,
    "{crypt}" YESCRYPT,
    "{MD5-CRYPT}" MD5,
    "{BLF-CRYPT}" BLOWFISH,
    "{SHA256-CRYPT}" SHA256,
    "{SHA512-CRYPT}" SHA512,
    "{SHA512-CRYPT}" SHA512_CHEAP,
};

START_TEST(test_schemes)
{
    char text[400];
    int size = snprintf(text, sizeof text, "alice@example.com:%s\n", hashes[_i]);
    ck_assert_msg(load(span_of(text, (size_t)size)) == STATUS_OK, "%s", fault.text);
    ck_assert(check("alice@example.com", "secret word"));
    ck_assert(!check("alice@example.com", "Secret word"));
    ck_assert(!check("alice@example.com", " secret word"));
    ck_assert(!check("alice@example.com", "secret"));
    ck_assert(!check("alice@example.com", ""));
    ck_assert(!check("Alice@example.com", "secret word"));
    ck_assert(!check("bob", "secret word"));
    ck_assert(!check("", "secret word"));
    ck_assert(!passwd_check(passwd, SPAN("alice@example.com"), SPAN("secret word\0"), &scratch));
    ck_assert(!passwd_check(passwd, SPAN("alice@example.com"), SPAN("secret word\0x"), &scratch));
}
END_TEST

START_TEST(test_longest_password)
{
    char text[2000] = "a:{PLAIN}", password[600];
    memset(password, 'p', sizeof password);
    memcpy(text + strlen("a:{PLAIN}"), password, 511);
    ck_assert_int_eq(load(span_text(text)), STATUS_OK);
    ck_assert(passwd_check(passwd, SPAN("a"), span_of(password, 511), &scratch));
    ck_assert(!passwd_check(passwd, SPAN("a"), span_of(password, 510), &scratch));
    ck_assert(!passwd_check(passwd, SPAN("a"), span_of(password, 512), &scratch));
    ck_assert(!passwd_check(passwd, SPAN("a"), span_of(password, 600), &scratch));
}
END_TEST

/* Passwords that can't be right are not taken for the empty one. */
START_TEST(test_hash_of_nothing)
{
    static const uint8_t long_password[600] = {1};
    ck_assert_int_eq(load(SPAN("a:$6$rounds=1000$saltsalt$VEHSITfYmhRDpD6t31S9LUhNne.FOx10qNSj"
                               "fu2skYK5wKPYCkdF/995SUbfpqIy5BFbEit9G4aDmW4aq4oX9.\n")),
                     STATUS_OK);
    ck_assert(!check("a", ""));
    ck_assert(!passwd_check(passwd, SPAN("a"), SPAN("\0"), &scratch));
    ck_assert(
        !passwd_check(passwd, SPAN("a"), span_of(long_password, sizeof long_password), &scratch));
}
END_TEST

/* ------------------------------------------------------------------------- the file ---- */

START_TEST(test_format)
{
    ck_assert_int_eq(load(SPAN("# a comment: with colons\n"
                               "\n"
                               " \t\n"
                               "alice:{PLAIN}one:1000:1000::/home/alice:/bin/sh:extra=1\r\n"
                               "bob:{PLAIN}two:::\n"
                               "carol:{PLAIN}five\r\n"
                               "with space:{PLAIN}t h r e e\n"
                               "\xc3\xa9t\xc3\xa9@example.com:{PLAIN}\xc3\xa9\n"
                               "last:{PLAIN}four")),
                     STATUS_OK);
    ck_assert_uint_eq(passwd_count(passwd), 6);
    ck_assert(check("alice", "one"));
    ck_assert(check("bob", "two"));
    ck_assert(check("with space", "t h r e e"));
    ck_assert(check("\xc3\xa9t\xc3\xa9@example.com", "\xc3\xa9"));
    ck_assert(check("last", "four"));
    ck_assert(check("carol", "five"));
    ck_assert(!check("alice", "one:1000"));
    ck_assert(!check("# a comment", " with colons"));
}
END_TEST

START_TEST(test_empty_file)
{
    ck_assert_int_eq(load(SPAN("")), STATUS_OK);
    ck_assert_uint_eq(passwd_count(passwd), 0);
    ck_assert(!check("alice", "x"));
    ck_assert(!check("", ""));
}
END_TEST

START_TEST(test_many_users)
{
    enum { USERS = 5000 };
    char *text = malloc(USERS * 40), user[20], password[20];
    size_t size = 0;
    for (int i = 0; i < USERS; i++)
        size += (size_t)snprintf(text + size, 40, "user%d:{PLAIN}word%d\n", i, i);
    ck_assert_int_eq(load(span_of(text, size)), STATUS_OK);
    ck_assert_uint_eq(passwd_count(passwd), USERS);
    for (int i = 0; i < USERS; i++) {
        snprintf(user, sizeof user, "user%d", i);
        snprintf(password, sizeof password, "word%d", i);
        ck_assert(check(user, password));
        snprintf(password, sizeof password, "word%d", i + 1);
        ck_assert(!check(user, password));
    }
    free(text);
}
END_TEST

#define GOOD "alice:" SHA512 "\n# x\n"

static const struct {
    const char *text; /* wrong on line 3 */
    const char *complaint;
} bad[] = {
    {GOOD "hunter2\n", "not user:{SCHEME}hash"},
    {GOOD ":{PLAIN}hunter2\n", "no user name"},
    {GOOD "bob:\n", "no password"},
    {GOOD "bob::1000\n", "no password"},
    {GOOD "bob:{PLAIN}\n", "no password"},
    {GOOD "bob:{PLAIN}:hunter2\n", "no password"},
    {GOOD "bob:{PLAINhunter2\n", "{ without }"},
    {GOOD "bob:{SSHA}hunter2\n", "unknown scheme (PLAIN, "},
    {GOOD "bob:{}hunter2\n", "unknown scheme (PLAIN, "},
    {GOOD "bob:{PLAIN.b64}hunter2\n", "unknown scheme (PLAIN, "},
    {GOOD "bob:{ARGON2ID}$argon2id$hunter2\n", "unknown scheme (PLAIN, "},
    {GOOD "bob:hunter2\n", "the hash is of no known kind"},
    {GOOD "bob:*\n", "the hash is of no known kind"},
    {GOOD "bob:!\n", "the hash is of no known kind"},
    {GOOD "bob:$9$hunter2\n", "the hash is of no known kind"},
    {GOOD "bob:$6$saltsalt$hunter2\n", "the hash is damaged"},
    {GOOD "bob:$6$\n", "the hash is damaged"},
    {GOOD "bob:" SHA512 "x\n", "the hash is damaged"},
    {GOOD "bob:$2b$04$hunter2\n", "the hash is damaged"},
    {GOOD "bob:{SHA512-CRYPT}" SHA256 "\n", "the hash is not of its scheme"},
    {GOOD "bob:{MD5-CRYPT}" DES "\n", "the hash is not of its scheme"},
    {GOOD "bob:{SHA256-CRYPT}hunter2\n", "the hash is of no known kind"},
    {GOOD "alice:{PLAIN}hunter2\n", "user alice is on line 1 already"},
    {"# x\ne\x1b[1m:{PLAIN}x\ne\x1b[1m:{PLAIN}hunter2", "user e\\x1B[1m is on line 2 already"},
};

START_TEST(test_bad_lines)
{
    ck_assert_int_eq(load(span_text(bad[_i].text)), STATUS_CONFIG);
    ck_assert_ptr_null(passwd);
    ck_assert_int_eq(fault.status, STATUS_CONFIG);
    char expected[200];
    snprintf(expected, sizeof expected, "%s:3: %s", path, bad[_i].complaint);
    ck_assert_msg(strncmp(fault.text, expected, strlen(expected)) == 0, "%s", fault.text);
    ck_assert_ptr_null(strstr(fault.text, "hunter2"));
    ck_assert_ptr_null(strstr(fault.text, "$"));
}
END_TEST

START_TEST(test_nul)
{
    ck_assert_int_eq(load(SPAN("a:{PLAIN}b\nb:{PLAIN}c\0d\n")), STATUS_CONFIG);
    ck_assert_ptr_nonnull(strstr(fault.text, ":2: a NUL byte"));
}
END_TEST

START_TEST(test_unreadable)
{
    ck_assert_int_eq(passwd_load(&passwd, "/nonexistent/passwd", &fault), STATUS_ABSENT);
    ck_assert_str_eq(fault.text, "/nonexistent/passwd: No such file or directory");
    ck_assert_int_eq(passwd_load(&passwd, "/tmp", &fault), STATUS_CONFIG);
    ck_assert_ptr_eq(strstr(fault.text, "/tmp: not a regular file"), fault.text);
    if (geteuid() != 0) {
        ck_assert_int_eq(chmod(path, 0), 0);
        ck_assert_int_eq(passwd_load(&passwd, path, &fault), STATUS_DENIED);
    }
    ck_assert_ptr_null(passwd);
}
END_TEST

/* A file that names a pipe must not hang the start. */
START_TEST(test_fifo)
{
    unlink(path);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    ck_assert_int_eq(passwd_load(&passwd, path, &fault), STATUS_CONFIG);
}
END_TEST

/* ------------------------------------------------------------------------- the decoy ---- */

static double cpu_ms(const char *user, int times)
{
    struct timespec before, after;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
    for (int i = 0; i < times; i++)
        ck_assert(!check(user, "wrong"));
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
    return (double)(after.tv_sec - before.tv_sec) * 1e3 +
           (double)(after.tv_nsec - before.tv_nsec) / 1e6;
}

/* The file's commonest scheme is dear, its first cheap: nobody must cost what most users cost. */
START_TEST(test_unknown_user_costs_the_same)
{
    ck_assert_int_eq(load(SPAN("plain:{PLAIN}x\nalice:" SHA512 "\nbob:" SHA512 "\n")), STATUS_OK);
    double known = cpu_ms("bob", 20), unknown = cpu_ms("nobody", 20), plain = cpu_ms("plain", 20);
    ck_assert_msg(unknown > known / 2 && unknown < known * 2, "%f %f", unknown, known);
    ck_assert_msg(plain < known / 4, "%f %f", plain, known);
}
END_TEST

START_TEST(test_decoy_password_opens_nothing)
{
    ck_assert_int_eq(load(SPAN("alice:{PLAIN}secret\n")), STATUS_OK);
    ck_assert(!check("nobody", "secret"));
}
END_TEST

START_TEST(test_scratch_is_wiped)
{
    static const struct crypt_data zero;
    ck_assert_int_eq(load(SPAN("alice:" SHA512_CHEAP "\n")), STATUS_OK);
    ck_assert(check("alice", "secret word"));
    ck_assert_int_eq(memcmp(&scratch, &zero, sizeof zero), 0);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("passwd");
    TCase *tcase = tcase_create("passwd");
    tcase_add_checked_fixture(tcase, make_file, remove_file);
    tcase_add_loop_test(tcase, test_schemes, 0, sizeof hashes / sizeof *hashes);
    tcase_add_test(tcase, test_longest_password);
    tcase_add_test(tcase, test_hash_of_nothing);
    tcase_add_test(tcase, test_format);
    tcase_add_test(tcase, test_empty_file);
    tcase_add_test(tcase, test_many_users);
    tcase_add_loop_test(tcase, test_bad_lines, 0, sizeof bad / sizeof *bad);
    tcase_add_test(tcase, test_nul);
    tcase_add_test(tcase, test_unreadable);
    tcase_add_test(tcase, test_fifo);
    tcase_add_test(tcase, test_unknown_user_costs_the_same);
    tcase_add_test(tcase, test_decoy_password_opens_nothing);
    tcase_add_test(tcase, test_scratch_is_wiped);
    suite_add_tcase(suite, tcase);
    return suite;
}
