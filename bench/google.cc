// The only C++ of the tree: Google Benchmark's registration and loop for harness.h.
#include "bench/harness.h"

#include <benchmark/benchmark.h>

static void measure(benchmark::State &state, const struct bench *bench)
{
    void *subject = bench->setup(bench);
    while (state.KeepRunningBatch(state.max_iterations))
        bench->run(subject, static_cast<uint64_t>(state.max_iterations));
    state.SetItemsProcessed(state.iterations() * bench->items);
    if (bench->bytes > 0)
        state.SetBytesProcessed(state.iterations() * bench->bytes);
    bench->teardown(subject);
}

int bench_main(int argc, char **argv, const struct bench *benches, size_t count)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 64;
    for (size_t i = 0; i < count; i++)
        benchmark::RegisterBenchmark(benches[i].name, measure, &benches[i]);
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}
