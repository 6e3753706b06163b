/* Every Check program of the tree: it implements test_suite(), check_main.c runs it and prints TAP.
 */
#ifndef TESTS_CHECK_MAIN_H
#define TESTS_CHECK_MAIN_H

#include <check.h>

Suite *test_suite(void);

#endif
