"""The Universal Scalability Law, fitted to throughputs by least squares.

    python3 perf/usl.py < POINTS          lines of `N throughput`; prints the fit, predicted and measured values
    python3 perf/usl.py --tsv < POINTS    the same as columns for perf/chart.py

    X(N) = X1 * N / (1 + sigma * (N - 1) + kappa * N * (N - 1))

sigma is the share of the work that is done one after another, kappa what every pair of partitions costs each other. The
law is linear in 1/X1, sigma/X1 and kappa/X1 once it is written for N / X(N); the residuals are weighted to be relative, and
neither sigma nor kappa may be negative. Fewer than three numbers of partitions cannot tell sigma from kappa: kappa is 0 then.
"""

import math
import statistics
import sys


def solve(rows, values):
    """Least squares by the normal equations, which are of at most three unknowns; None if they have no one solution."""
    n = len(rows[0])
    matrix = [[sum(row[i] * row[j] for row in rows) for j in range(n)] for i in range(n)]
    right = [sum(row[i] * value for row, value in zip(rows, values)) for i in range(n)]
    for i in range(n):
        pivot = max(range(i, n), key=lambda k: abs(matrix[k][i]))
        if abs(matrix[pivot][i]) < 1e-12:
            return None
        matrix[i], matrix[pivot], right[i], right[pivot] = matrix[pivot], matrix[i], right[pivot], right[i]
        for k in range(i + 1, n):
            factor = matrix[k][i] / matrix[i][i]
            matrix[k] = [a - factor * b for a, b in zip(matrix[k], matrix[i])]
            right[k] -= factor * right[i]
    solution = [0.0] * n
    for i in reversed(range(n)):
        rest = sum(matrix[i][j] * solution[j] for j in range(i + 1, n))
        solution[i] = (right[i] - rest) / matrix[i][i]
    return solution


def predicted(model, n):
    """Throughput of `n` partitions."""
    single, sigma, kappa = model
    return single * n / (1 + sigma * (n - 1) + kappa * n * (n - 1))


def fit(points):
    """(X1, sigma, kappa) for (N, throughput) pairs."""
    numbers = len({n for n, _ in points})
    # N / X, divided by itself so that a residual is a share of it; terms that are left out are zero.
    terms = (lambda n: 1.0, lambda n: n - 1.0, lambda n: n * (n - 1.0))
    choices = {1: [(0,)], 2: [(0, 1), (0,)]}.get(numbers, [(0, 1, 2), (0, 1), (0, 2), (0,)])
    best = None
    for chosen in choices:
        rows = [[terms[t](n) * x / n for t in chosen] for n, x in points]
        solution = solve(rows, [1.0] * len(points))
        if solution is None or solution[0] <= 0 or any(value < -1e-12 for value in solution[1:]):
            continue
        full = [0.0, 0.0, 0.0]
        for t, value in zip(chosen, solution):
            # What is left of rounding is nothing.
            full[t] = value if value > 1e-12 else 0.0
        error = sum((1.0 - sum(a * b for a, b in zip(row, solution))) ** 2 for row in rows)
        if best is None or error < best[0] - 1e-15:
            best = (error, (1 / full[0], full[1] / full[0], full[2] / full[0]))
    return best[1]


def main():
    points = [tuple(map(float, line.split())) for line in sys.stdin if line.strip()]
    points = [(int(n), x) for n, x in points]
    if not points or any(n < 1 or not x > 0 for n, x in points):
        sys.exit("usl.py: expected lines of `N throughput`, both positive")
    model = fit(points)
    single, sigma, kappa = model
    numbers = sorted({n for n, _ in points})
    measured = {n: statistics.median(x for m, x in points if m == n) for n in numbers}
    if "--tsv" in sys.argv[1:]:
        print("partitions\tmeasured\tpredicted")
        for n in numbers:
            print(f"{n}\t{measured[n]:.6g}\t{predicted(model, n):.6g}")
        return
    print(f"X1 = {single:.4g}, sigma = {sigma:.4f}, kappa = {kappa:.6f}")
    if len(numbers) < 3:
        count = "one number" if len(numbers) == 1 else "two numbers"
        print(f"{count} of partitions: too few to tell contention (sigma) from coherence (kappa), which is taken as 0")
    elif kappa > 0 and sigma < 1:
        print(f"greatest throughput at {math.sqrt((1 - sigma) / kappa):.1f} partitions")
    print(f"{'partitions':>10} {'measured':>12} {'predicted':>12} {'difference':>10} {'efficiency':>10}")
    for n in numbers:
        model_x = predicted(model, n)
        difference = 100 * (measured[n] / model_x - 1)
        efficiency = 100 * measured[n] / (n * single)
        print(f"{n:>10} {measured[n]:>12.4g} {model_x:>12.4g} {difference:>+9.1f}% {efficiency:>9.1f}%")
    for n in (2 * numbers[-1], 4 * numbers[-1]):
        print(f"{n:>10} {'-':>12} {predicted(model, n):>12.4g}")


if __name__ == "__main__":
    main()
