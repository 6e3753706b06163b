#include "tests/check_main.h"

#include <stdlib.h>

/* Under meson (CK_TAP_LOG_FILE_NAME set) failures are in the TAP stream and the exit code must be
 * 0, or meson takes a failed check for a broken program. */
int main(void)
{
    SRunner *runner = srunner_create(test_suite());
    srunner_run_all(runner, getenv("CK_TAP_LOG_FILE_NAME") ? CK_SILENT : CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return getenv("CK_TAP_LOG_FILE_NAME") || failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
