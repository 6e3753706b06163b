/* Every micro benchmark in one program: bench/micro --benchmark_filter=crc32c */
#include "bench/micro.h"

int main(int argc, char **argv)
{
    const struct bench_group groups[] = {micro_crc32c, micro_timer};
    return bench_main(argc, argv, groups, sizeof(groups) / sizeof(groups[0]));
}
