// The derivatives of the benchmark of machine code, as one writes them by hand.
//
// Reverse mode: the states of the way forth are kept, and the way back reads them. All arrays are
// C-contiguous and of double precision. Functions overwrite their outputs.

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

using std::vector;

namespace {

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

extern "C" {

void empty_loop(double x, long turns, double* value) {
    double carry = x;
    for (long i = 0; i < turns; ++i) carry = 0.5 * carry + x;
    *value = carry;
}

// Differential equations

void lotka_volterra(const double* rates, const double* start, long steps, double h, double* value,
                    double* d_rates, double* d_start) {
    const double a = rates[0], b = rates[1], c = rates[2], d = rates[3];
    const double half = h / 2, sixth = h / 6;
    static thread_local vector<double> kept;
    kept.resize(8 * steps);
    double x = start[0], y = start[1];
    for (long i = 0; i < steps; ++i) {
        double* s = &kept[8 * i];
        const double x1 = (a - b * y) * x, y1 = (c * x - d) * y;
        const double p2 = x + half * x1, q2 = y + half * y1;
        const double x2 = (a - b * q2) * p2, y2 = (c * p2 - d) * q2;
        const double p3 = x + half * x2, q3 = y + half * y2;
        const double x3 = (a - b * q3) * p3, y3 = (c * p3 - d) * q3;
        const double p4 = x + h * x3, q4 = y + h * y3;
        const double x4 = (a - b * q4) * p4, y4 = (c * p4 - d) * q4;
        s[0] = x, s[1] = y, s[2] = p2, s[3] = q2, s[4] = p3, s[5] = q3, s[6] = p4, s[7] = q4;
        x += sixth * (x1 + 2 * x2 + 2 * x3 + x4);
        y += sixth * (y1 + 2 * y2 + 2 * y3 + y4);
    }
    *value = x + y;
    double da = 0, db = 0, dc = 0, dd = 0, dx = 1, dy = 1;
    const double weights[4] = {1, 2, 2, 1}, reaches[4] = {0, half, half, h};
    for (long i = steps - 1; i >= 0; --i) {
        const double* s = &kept[8 * i];
        const double u = sixth * dx, v = sixth * dy;
        double carried_u = 0, carried_v = 0;
        for (int stage = 3; stage >= 0; --stage) {
            const double p = s[2 * stage], q = s[2 * stage + 1];
            const double du = weights[stage] * u + carried_u, dv = weights[stage] * v + carried_v;
            da += du * p;
            db -= du * p * q;
            dc += dv * p * q;
            dd -= dv * q;
            const double dp = du * (a - b * q) + dv * c * q;
            const double dq = dv * (c * p - d) - du * b * p;
            dx += dp;
            dy += dq;
            carried_u = reaches[stage] * dp;
            carried_v = reaches[stage] * dq;
        }
    }
    d_rates[0] = da, d_rates[1] = db, d_rates[2] = dc, d_rates[3] = dd;
    d_start[0] = dx, d_start[1] = dy;
}

static void burgers_slope(const double* u, long n, double* k) {
    auto at = [](double own, double left, double right) {
        return -own * (own - left) + 0.1 * (left - 2 * own + right);
    };
    k[0] = at(u[0], u[n - 1], u[1]);
    for (long j = 1; j < n - 1; ++j) k[j] = at(u[j], u[j - 1], u[j + 1]);
    k[n - 1] = at(u[n - 1], u[n - 2], u[0]);
}

// The cotangent of u, for that of the slope.
static void burgers_back(const double* u, const double* dk, long n, double* du) {
    auto at = [](double own, double left, double right, double d_own, double d_left, double d_right,
                 double) {
        // Of the own slope, of the left neighbour's (whose right is u), of the right one's.
        return d_own * (left - 2 * own - 0.2) + 0.1 * d_left + d_right * (right + 0.1);
    };
    du[0] = at(u[0], u[n - 1], u[1], dk[0], dk[n - 1], dk[1], 0);
    for (long j = 1; j < n - 1; ++j)
        du[j] = at(u[j], u[j - 1], u[j + 1], dk[j], dk[j - 1], dk[j + 1], 0);
    du[n - 1] = at(u[n - 1], u[n - 2], u[0], dk[n - 1], dk[n - 2], dk[0], 0);
}

void burgers(const double* start, long n, long steps, double h, double* value, double* gradient) {
    static thread_local vector<double> kept, slopes, back;
    kept.resize(4 * n * steps + n);
    slopes.resize(4 * n);
    back.resize(3 * n);
    double *k1 = &slopes[0], *k2 = k1 + n, *k3 = k2 + n, *k4 = k3 + n;
    std::memcpy(&kept[0], start, n * sizeof(double));
    for (long i = 0; i < steps; ++i) {
        double *u = &kept[4 * n * i], *u2 = u + n, *u3 = u2 + n, *u4 = u3 + n, *next = u4 + n;
        burgers_slope(u, n, k1);
        for (long j = 0; j < n; ++j) u2[j] = u[j] + h / 2 * k1[j];
        burgers_slope(u2, n, k2);
        for (long j = 0; j < n; ++j) u3[j] = u[j] + h / 2 * k2[j];
        burgers_slope(u3, n, k3);
        for (long j = 0; j < n; ++j) u4[j] = u[j] + h * k3[j];
        burgers_slope(u4, n, k4);
        for (long j = 0; j < n; ++j)
            next[j] = u[j] + h / 6 * (k1[j] + 2 * k2[j] + 2 * k3[j] + k4[j]);
    }
    const double* last = &kept[4 * n * steps];
    double total = 0;
    for (long j = 0; j < n; ++j) total += last[j] * last[j], gradient[j] = 2 * last[j];
    *value = total;
    double *dk = &back[0], *dv = dk + n, *sum = dv + n;
    const double weights[4] = {h / 6, h / 3, h / 3, h / 6}, reaches[4] = {h / 2, h / 2, h, 0};
    for (long i = steps - 1; i >= 0; --i) {
        for (long j = 0; j < n; ++j) sum[j] = gradient[j], dv[j] = 0;
        for (int stage = 3; stage >= 0; --stage) {
            const double weight = weights[stage], reach = reaches[stage];
            for (long j = 0; j < n; ++j) dk[j] = weight * gradient[j] + reach * dv[j];
            burgers_back(&kept[4 * n * i + stage * n], dk, n, dv);
            for (long j = 0; j < n; ++j) sum[j] += dv[j];
        }
        std::memcpy(gradient, sum, n * sizeof(double));
    }
}

void heat_equation(double k, const double* start, long n, long steps, double* value,
                   double* gradient) {
    static thread_local vector<double> kept, back;
    kept.resize(n * (steps + 1));
    back.assign(2 * n, 0.0);
    std::memcpy(&kept[0], start, n * sizeof(double));
    for (long i = 0; i < steps; ++i) {
        const double* u = &kept[n * i];
        double* next = &kept[n * (i + 1)];
        next[0] = u[0], next[n - 1] = u[n - 1];
        for (long j = 1; j < n - 1; ++j) next[j] = u[j] + k * (u[j - 1] - 2 * u[j] + u[j + 1]);
    }
    const double* last = &kept[n * steps];
    double total = 0, dk = 0, *d = &back[0], *before = &back[n];
    for (long j = 0; j < n; ++j) total += last[j] * last[j], d[j] = 2 * last[j];
    for (long i = steps - 1; i >= 0; --i) {
        const double* u = &kept[n * i];
        double sum = 0;
        for (long j = 1; j < n - 1; ++j) sum += d[j] * (u[j - 1] - 2 * u[j] + u[j + 1]);
        dk += sum;
        // The ends are given on as they are, and have no slope of their own.
        before[0] = d[0] + k * d[1];
        before[n - 1] = d[n - 1] + k * d[n - 2];
        before[1] = d[1] + k * (d[2] - 2 * d[1]);
        before[n - 2] = d[n - 2] + k * (d[n - 3] - 2 * d[n - 2]);
        for (long j = 2; j < n - 2; ++j) before[j] = d[j] + k * (d[j - 1] - 2 * d[j] + d[j + 1]);
        std::swap(d, before);
    }
    *value = total;
    *gradient = dk;
}

// Networks

void lstm(const double* gates, const double* around, const double* start, const double* characters,
          long layers, long length, long width, double* value, double* d_gates, double* d_around) {
    // For each step and layer: input, hidden and cell before, four gates, tanh of the cell.
    enum { X, HIDDEN, CELL, FORGET, TAKEN, GIVEN, CHANGE, BOUND, PARTS };
    static thread_local vector<double> kept, outputs, states, backs;
    const long of_layer = PARTS * width, of_step = layers * of_layer;
    kept.resize(length * of_step);
    outputs.resize(2 * length * width);  // the last layer's output, the shares
    states.assign(start, start + 2 * layers * width);
    double total = 0;
    for (long t = 0; t < length; ++t) {
        const double *character = characters + t * width, *following = character + width;
        double* output = &outputs[2 * t * width];
        for (long j = 0; j < width; ++j) output[j] = character[j] * around[j];
        for (long layer = 0; layer < layers; ++layer) {
            const double *w = gates + layer * 8 * width, *b = w + 4 * width;
            double *s = &kept[t * of_step + layer * of_layer], *hidden = &states[2 * layer * width];
            double* cell = hidden + width;
            for (long j = 0; j < width; ++j) {
                const double x = output[j];
                s[X * width + j] = x, s[HIDDEN * width + j] = hidden[j], s[CELL * width + j] = cell[j];
                const double forget = sigmoid(x * w[j] + b[j]);
                const double taken = sigmoid(hidden[j] * w[width + j] + b[width + j]);
                const double given = sigmoid(x * w[2 * width + j] + b[2 * width + j]);
                const double change = std::tanh(hidden[j] * w[3 * width + j] + b[3 * width + j]);
                cell[j] = cell[j] * forget + taken * change;
                const double bound = std::tanh(cell[j]);
                s[FORGET * width + j] = forget, s[TAKEN * width + j] = taken;
                s[GIVEN * width + j] = given, s[CHANGE * width + j] = change;
                s[BOUND * width + j] = bound;
                output[j] = hidden[j] = given * bound;
            }
        }
        double sum = 2, score_total = 0, weight = 0;
        double* shares = output + width;
        for (long j = 0; j < width; ++j) {
            const double score = output[j] * around[width + j] + around[2 * width + j];
            shares[j] = std::exp(score);
            sum += shares[j];
            score_total += following[j] * score;
            weight += following[j];
        }
        for (long j = 0; j < width; ++j) shares[j] *= weight / sum;
        total += score_total - weight * std::log(sum);
    }
    const double scale = -1.0 / (length * width);
    *value = scale * total;

    std::fill(d_gates, d_gates + 8 * layers * width, 0.0);
    std::fill(d_around, d_around + 3 * width, 0.0);
    backs.assign((2 * layers + 1) * width, 0.0);
    double* d_x = &backs[2 * layers * width];
    for (long t = length - 1; t >= 0; --t) {
        const double *character = characters + t * width, *following = character + width;
        const double *output = &outputs[2 * t * width], *shares = output + width;
        for (long j = 0; j < width; ++j) {
            const double d_score = scale * (following[j] - shares[j]);
            d_around[width + j] += d_score * output[j];
            d_around[2 * width + j] += d_score;
            d_x[j] = d_score * around[width + j];
        }
        for (long layer = layers - 1; layer >= 0; --layer) {
            const double* w = gates + layer * 8 * width;
            double *dw = d_gates + layer * 8 * width, *db = dw + 4 * width;
            const double* s = &kept[t * of_step + layer * of_layer];
            double *d_hidden = &backs[2 * layer * width], *d_cell = d_hidden + width;
            for (long j = 0; j < width; ++j) {
                const double x = s[X * width + j], hidden = s[HIDDEN * width + j];
                const double forget = s[FORGET * width + j], taken = s[TAKEN * width + j];
                const double given = s[GIVEN * width + j], change = s[CHANGE * width + j];
                const double bound = s[BOUND * width + j];
                const double d_output = d_x[j] + d_hidden[j];
                const double d_new = d_cell[j] + d_output * given * (1 - bound * bound);
                const double f = d_new * s[CELL * width + j] * forget * (1 - forget);
                const double i = d_new * change * taken * (1 - taken);
                const double o = d_output * bound * given * (1 - given);
                const double c = d_new * taken * (1 - change * change);
                dw[j] += f * x, db[j] += f;
                dw[width + j] += i * hidden, db[width + j] += i;
                dw[2 * width + j] += o * x, db[2 * width + j] += o;
                dw[3 * width + j] += c * hidden, db[3 * width + j] += c;
                d_x[j] = f * w[j] + o * w[2 * width + j];
                d_hidden[j] = i * w[width + j] + c * w[3 * width + j];
                d_cell[j] = d_new * forget;
            }
        }
        for (long j = 0; j < width; ++j) d_around[j] += d_x[j] * character[j];
    }
}

}  // extern "C"
