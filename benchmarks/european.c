/* European options as a C programmer writes them: what `riskpipe.kernels.black.european_options` is measured against.
 *
 * The same arrays and the same work for a valuation. Compiled with -Ofast, gcc vectorises the inner loop with libmvec's
 * log and erfc.
 */
#include <math.h>
#include <stdint.h>

static inline double cdf(double x) { return 0.5 * erfc(-0.70710678118654752440 * x); }

void european_options(int64_t options, int64_t scenarios, const double *restrict forward,
                   const int32_t *restrict forward_position, const double *restrict discount,
                   const int32_t *restrict discount_position, const int32_t *restrict index,
                   const double *restrict strike_weight, const double *restrict time_weight,
                   const double *restrict x, const double *restrict strike, const double *restrict sign,
                   const double *restrict quantity, double *restrict out)
{
    for (int64_t i = 0; i < options; i++) {
        const double *restrict f = forward + forward_position[i] * scenarios;
        const double *restrict d = discount + discount_position[i] * scenarios;
        const double *restrict v0 = x + index[4 * i] * scenarios, *restrict v1 = x + index[4 * i + 1] * scenarios;
        const double *restrict v2 = x + index[4 * i + 2] * scenarios, *restrict v3 = x + index[4 * i + 3] * scenarios;
        const double w0 = strike_weight[4 * i], w1 = strike_weight[4 * i + 1];
        const double w2 = strike_weight[4 * i + 2], w3 = strike_weight[4 * i + 3];
        const double t0 = time_weight[2 * i], t1 = time_weight[2 * i + 1];
        const double k = strike[i], side = sign[i], amount = quantity[i];
        double *restrict values = out + i * scenarios;
        for (int64_t s = 0; s < scenarios; s++) {
            const double near = w0 * v0[s] + w1 * v1[s], far = w2 * v2[s] + w3 * v3[s];
            const double deviation = sqrt(t0 * near * near + t1 * far * far);
            const double d1 = log(f[s] / k) / deviation + 0.5 * deviation, d2 = d1 - deviation;
            values[s] = amount * d[s] * side * (f[s] * cdf(side * d1) - k * cdf(side * d2));
        }
    }
}
