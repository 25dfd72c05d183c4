"""How good a registration is: error measures, their statistics, simulated X-rays, benchmarks."""
