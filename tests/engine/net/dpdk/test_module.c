#include "engine/net/dpdk/module.h"

#include "tests/check_main.h"
#include "tests/engine/net/dpdk/lab.h"

#include <stdlib.h>

START_TEST(each_copy_has_a_state_of_its_own)
{
    enum { COPIES = 5 };
    struct lab *lab = calloc(1, sizeof *lab);
    struct module modules[COPIES];
    struct net *nets[COPIES];
    ck_assert_ptr_nonnull(lab);
    lab_open_wires(lab, 1);
    for (unsigned i = 0; i < COPIES; i++) {
        struct fault fault;
        struct net_stack_options options = {.wire = &lab->wires[0].wire,
                                            .clock = &lab->clock,
                                            .connections_max = 10,
                                            .half_open_max = 10,
                                            .kept_bytes = 1 << 20};
        ck_assert_int_eq(module_load(&modules[i], &fault), STATUS_OK);
        ck_assert_int_eq(modules[i].open(&nets[i], &options, &fault), STATUS_OK);
        for (unsigned j = 0; j < i; j++)
            ck_assert(modules[i].open != modules[j].open);
    }
    for (unsigned i = 0; i < COPIES; i++) {
        net_poll(nets[i], 0);
        nets[i]->calls->deinit(nets[i]);
        module_unload(&modules[i]);
    }
    lab_close_wires(lab);
    free(lab);
}
END_TEST

Suite *test_suite(void)
{
    Suite *suite = suite_create("module");
    TCase *tcase = tcase_create("module");
    tcase_add_test(tcase, each_copy_has_a_state_of_its_own);
    suite_add_tcase(suite, tcase);
    return suite;
}
