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

// Three rows of a matrix of 4 x 4, whose last row is (0, 0, 0, 1).
struct Affine {
    double m[12];
};

Affine affine(const double* matrix) {
    Affine result;
    std::memcpy(result.m, matrix, sizeof result.m);
    return result;
}

Affine operator*(const Affine& a, const Affine& b) {
    Affine result;
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 4; ++j)
            result.m[4 * i + j] = a.m[4 * i] * b.m[j] + a.m[4 * i + 1] * b.m[4 + j] +
                                  a.m[4 * i + 2] * b.m[8 + j] + (j == 3 ? a.m[4 * i + 3] : 0);
    return result;
}

// The rotation about x, then y, then z, or its derivative in one of the angles.
Affine euler(double ax, double ay, double az, int by) {
    const double a = by == 0 ? -std::sin(ax) : std::cos(ax), x = by == 0 ? std::cos(ax) : std::sin(ax);
    const double b = by == 1 ? -std::sin(ay) : std::cos(ay), y = by == 1 ? std::cos(ay) : std::sin(ay);
    const double c = by == 2 ? -std::sin(az) : std::cos(az), z = by == 2 ? std::cos(az) : std::sin(az);
    // What does not depend on the angle is gone: x, y and z are each in the terms below, or not.
    const double kx = by == 0 ? 0 : 1, ky = by == 1 ? 0 : 1, kz = by == 2 ? 0 : 1;
    return {{kx * b * c, x * y * c - ky * a * z, a * y * c + ky * x * z, 0,
             kx * b * z, x * y * z + ky * a * c, a * y * z - ky * x * c, 0,
             -kx * kz * y, kz * x * b, kz * a * b, 0}};
}

// The weighted image of a point, added.
void add_moved(const Affine& a, const double* x, double weight, double* sum) {
    for (int i = 0; i < 3; ++i)
        sum[i] += weight * (a.m[4 * i] * x[0] + a.m[4 * i + 1] * x[1] + a.m[4 * i + 2] * x[2] +
                            a.m[4 * i + 3]);
}

// The rotation about an axis by its length, and its derivatives in the axis.
void rotation_about(const double* r, double* R, double (*dR)[9]) {
    const double angle = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
    const double c = std::cos(angle), s = std::sin(angle);
    const double u[3] = {r[0] / angle, r[1] / angle, r[2] / angle};
    auto across = [](const double* v, int i, int j) {
        return i == j ? 0.0 : ((j - i + 3) % 3 == 1 ? -1.0 : 1.0) * v[3 - i - j];
    };
    for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) {
            R[3 * i + j] = (i == j ? c : 0) + s * across(u, i, j) + (1 - c) * u[i] * u[j];
            for (int k = 0; k < 3; ++k) {
                double du[3];
                for (int a = 0; a < 3; ++a) du[a] = ((a == k) - u[a] * u[k]) / angle;
                const double d_angle = u[k];
                dR[k][3 * i + j] = d_angle * ((i == j ? -s : 0) + c * across(u, i, j) + s * u[i] * u[j]) +
                                   s * across(du, i, j) + (1 - c) * (du[i] * u[j] + u[i] * du[j]);
            }
        }
}

template <class T>
void chain(const T* x, long n, T* gradient) {
    for (long i = 0; i < n; ++i) {
        const T square = x[i] * x[i], above = 1 + square, h = std::tanh(x[i]);
        const T bell = std::exp(-square), twice = 2 * x[i];
        gradient[i] = bell * (1 - h * h - twice * h) + std::sin(x[i]) * twice / above +
                      std::log(above) * std::cos(x[i]);
    }
}

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

// Geometry

void bundle_adjustment(const double* cameras, const double* points, const double* weights,
                       const double* seen, long count, double* d_cameras, double* d_points,
                       double* d_weights) {
    for (long i = 0; i < count; ++i) {
        const double *camera = cameras + 11 * i, *X = points + 3 * i, *r = camera, *C = camera + 3;
        const double focal = camera[6], k1 = camera[9], k2 = camera[10], weight = weights[i];
        const double angle = std::sqrt(r[0] * r[0] + r[1] * r[1] + r[2] * r[2]);
        const double w[3] = {r[0] / angle, r[1] / angle, r[2] / angle};
        const double cosine = std::cos(angle), sine = std::sin(angle), rest = 1 - cosine;
        const double v[3] = {X[0] - C[0], X[1] - C[1], X[2] - C[2]};
        const double across[3] = {w[1] * v[2] - w[2] * v[1], w[2] * v[0] - w[0] * v[2],
                                  w[0] * v[1] - w[1] * v[0]};
        const double along = w[0] * v[0] + w[1] * v[1] + w[2] * v[2];
        double t[3];
        for (int a = 0; a < 3; ++a) t[a] = cosine * v[a] + sine * across[a] + rest * along * w[a];
        const double plane[2] = {t[0] / t[2], t[1] / t[2]};
        const double square = plane[0] * plane[0] + plane[1] * plane[1];
        const double bend = 1 + square * (k1 + k2 * square), slope = k1 + 2 * k2 * square;
        for (int e = 0; e < 2; ++e) {
            double *dc = d_cameras + 22 * i + 11 * e, *dX = d_points + 6 * i + 3 * e;
            d_weights[2 * i + e] = focal * bend * plane[e] + camera[7 + e] - seen[2 * i + e];
            dc[6] = weight * bend * plane[e];
            dc[7] = e == 0 ? weight : 0, dc[8] = e == 1 ? weight : 0;
            dc[9] = weight * focal * plane[e] * square, dc[10] = dc[9] * square;
            double d_plane[2];
            const double scale = weight * focal;
            for (int a = 0; a < 2; ++a)
                d_plane[a] = scale * (2 * plane[a] * slope * plane[e] + (a == e ? bend : 0));
            const double y[3] = {d_plane[0] / t[2], d_plane[1] / t[2],
                                 -(d_plane[0] * plane[0] + d_plane[1] * plane[1]) / t[2]};
            const double yw[3] = {y[1] * w[2] - y[2] * w[1], y[2] * w[0] - y[0] * w[2],
                                  y[0] * w[1] - y[1] * w[0]};
            const double vy[3] = {v[1] * y[2] - v[2] * y[1], v[2] * y[0] - v[0] * y[2],
                                  v[0] * y[1] - v[1] * y[0]};
            const double wy = w[0] * y[0] + w[1] * y[1] + w[2] * y[2];
            double d_angle = sine * wy * along, dw[3], w_dw = 0;
            for (int a = 0; a < 3; ++a) {
                dX[a] = cosine * y[a] + sine * yw[a] + rest * wy * w[a];
                dc[3 + a] = -dX[a];
                dw[a] = sine * vy[a] + rest * (along * y[a] + wy * v[a]);
                d_angle += y[a] * (cosine * across[a] - sine * v[a]);
                w_dw += w[a] * dw[a];
            }
            for (int a = 0; a < 3; ++a) dc[a] = (dw[a] - w[a] * w_dw) / angle + w[a] * d_angle;
        }
    }
}

void hand_tracking(const double* params, const double* relatives, const double* inverses,
                   const double* skin, const double* weights, const double*, const long* nearest,
                   const long* parents, const long* positions, long bones, long vertices,
                   long points, double* jacobian) {
    static thread_local vector<Affine> own, absolute, moved, derivative, moved_by;
    own.resize(bones), absolute.resize(bones), moved.resize(bones);
    derivative.resize(bones), moved_by.resize(bones);
    auto angle = [&](long bone, int axis) {
        const long which = positions[3 * bone + axis];
        return which < 20 ? params[6 + which] : 0.0;
    };
    for (long b = 0; b < bones; ++b) {
        const Affine relative = affine(relatives + 16 * b);
        own[b] = relative * euler(angle(b, 0), angle(b, 1), angle(b, 2), -1);
        absolute[b] = parents[b] < 0 ? own[b] : absolute[parents[b]] * own[b];
        moved[b] = absolute[b] * affine(inverses + 16 * b);
    }
    double R[9], dR[3][9];
    rotation_about(params, R, dR);
    for (long i = 0; i < points; ++i) {
        const long vertex = nearest[i];
        double x[3] = {skin[vertex], skin[vertices + vertex], skin[2 * vertices + vertex]};
        double blended[3] = {0, 0, 0};
        for (long b = 0; b < bones; ++b)
            add_moved(moved[b], x, weights[b * vertices + vertex], blended);
        for (int row = 0; row < 3; ++row) {
            double* line = jacobian + (row * points + i) * 26;
            std::fill(line, line + 26, 0.0);
            for (int axis = 0; axis < 3; ++axis) {
                const double* turn = dR[axis] + 3 * row;
                line[axis] = -(turn[0] * blended[0] + turn[1] * blended[1] + turn[2] * blended[2]);
            }
            line[3 + row] = -1;
        }
    }
    // An angle moves its own bone and those that follow it in the finger.
    for (long bone = 0; bone < bones; ++bone) {
        for (int axis = 0; axis < 3; ++axis) {
            const long which = positions[3 * bone + axis];
            if (which >= 20) continue;
            const Affine turn = euler(angle(bone, 0), angle(bone, 1), angle(bone, 2), axis);
            const Affine relative = affine(relatives + 16 * bone);
            derivative[bone] = absolute[parents[bone]] * relative * turn;
            // What does not turn has no derivative.
            for (int row = 0; row < 3; ++row) derivative[bone].m[4 * row + 3] = 0;
            moved_by[bone] = derivative[bone] * affine(inverses + 16 * bone);
            long end = bone + 1;
            for (; end < bones && parents[end] == end - 1; ++end) {
                derivative[end] = derivative[end - 1] * own[end];
                moved_by[end] = derivative[end] * affine(inverses + 16 * end);
            }
            for (long i = 0; i < points; ++i) {
                const long vertex = nearest[i];
                double x[3] = {skin[vertex], skin[vertices + vertex], skin[2 * vertices + vertex]};
                double d[3] = {0, 0, 0};
                for (long b = bone; b < end; ++b)
                    add_moved(moved_by[b], x, weights[b * vertices + vertex], d);
                for (int row = 0; row < 3; ++row)
                    jacobian[(row * points + i) * 26 + 6 + which] =
                        -(R[3 * row] * d[0] + R[3 * row + 1] * d[1] + R[3 * row + 2] * d[2]);
            }
        }
    }
}

// Statistics

void log_sum_exp(const double* x, long n, double* value, double* gradient) {
    double largest = x[0];
    for (long i = 1; i < n; ++i) largest = x[i] > largest ? x[i] : largest;
    double sum = 0;
    for (long i = 0; i < n; ++i) {
        gradient[i] = std::exp(x[i] - largest);
        sum += gradient[i];
    }
    *value = largest + std::log(sum);
    const double share = 1 / sum;
    for (long i = 0; i < n; ++i) gradient[i] *= share;
}

void k_means(const double* centres, const double* points, long clusters, long rows, long d,
             double* quotient) {
    static thread_local vector<double> columns, squares, sums, distances;
    static thread_local vector<long> counts;
    columns.resize(d * clusters), distances.resize(clusters), squares.assign(clusters, 0.0);
    sums.assign(clusters * d, 0.0), counts.assign(clusters, 0);
    for (long c = 0; c < clusters; ++c)
        for (long j = 0; j < d; ++j) {
            columns[j * clusters + c] = -2 * centres[c * d + j];
            squares[c] += centres[c * d + j] * centres[c * d + j];
        }
    for (long i = 0; i < rows; ++i) {
        // What is the same for all centres does not change which is nearest.
        const double* point = points + i * d;
        double* __restrict distance = &distances[0];
        for (long c = 0; c < clusters; ++c) distance[c] = squares[c];
        for (long j = 0; j < d; ++j) {
            const double* column = &columns[j * clusters];
            const double x = point[j];
            for (long c = 0; c < clusters; ++c) distance[c] += x * column[c];
        }
        const long nearest = std::min_element(distance, distance + clusters) - distance;
        ++counts[nearest];
        for (long j = 0; j < d; ++j) sums[nearest * d + j] += point[j];
    }
    for (long c = 0; c < clusters; ++c)
        for (long j = 0; j < d; ++j) {
            const double n = counts[c];
            quotient[c * d + j] = 2 * (n * centres[c * d + j] - sums[c * d + j]) / (2 * n);
        }
}

void gaussian_mixture(const double* alphas, const double* means, const double* factors,
                      const double* x, long d, long k, long n, double* value, double* d_alphas,
                      double* d_means, double* d_factors) {
    const long size = d * (d + 1) / 2;
    static thread_local vector<double> lower, terms, scaled, centred, d_lower, totals, sums;
    lower.assign(k * d * d, 0.0), d_lower.assign(k * d * d, 0.0);
    terms.resize(k), sums.assign(k, 0.0), totals.assign(k, 0.0);
    scaled.resize(k * d), centred.resize(k * d);
    double prior = 0;
    for (long c = 0; c < k; ++c) {
        const double* factor = factors + c * size;
        long next = d;
        for (long row = 0; row < d; ++row) {
            const double diagonal = std::exp(factor[row]);
            sums[c] += factor[row];
            prior += diagonal * diagonal;
            for (long column = 0; column < row; ++column, ++next) {
                lower[(c * d + row) * d + column] = factor[next];
                prior += factor[next] * factor[next];
            }
            lower[(c * d + row) * d + row] = diagonal;
        }
    }
    std::fill(d_means, d_means + k * d, 0.0);
    double total = 0;
    for (long i = 0; i < n; ++i) {
        for (long c = 0; c < k; ++c) {
            const double *L = &lower[c * d * d], *mean = means + c * d;
            double *at = &centred[c * d], *to = &scaled[c * d], square = 0;
            for (long j = 0; j < d; ++j) at[j] = x[i * d + j] - mean[j];
            for (long row = 0; row < d; ++row) {
                double sum = 0;
                for (long j = 0; j <= row; ++j) sum += L[row * d + j] * at[j];
                to[row] = sum;
                square += sum * sum;
            }
            terms[c] = alphas[c] + sums[c] - 0.5 * square;
        }
        double largest = *std::max_element(terms.begin(), terms.end()), sum = 0;
        for (long c = 0; c < k; ++c) sum += terms[c] = std::exp(terms[c] - largest);
        total += largest + std::log(sum);
        for (long c = 0; c < k; ++c) {
            const double share = terms[c] / sum;
            totals[c] += share;
            const double *L = &lower[c * d * d], *at = &centred[c * d], *to = &scaled[c * d];
            double *dL = &d_lower[c * d * d], *d_mean = d_means + c * d;
            for (long row = 0; row < d; ++row) {
                const double weighed = share * to[row];
                for (long j = 0; j <= row; ++j) {
                    dL[row * d + j] -= weighed * at[j];
                    d_mean[j] += weighed * L[row * d + j];
                }
            }
        }
    }
    const double largest = *std::max_element(alphas, alphas + k);
    double sum = 0;
    for (long c = 0; c < k; ++c) sum += std::exp(alphas[c] - largest);
    const double pi = 3.14159265358979323846;
    *value = total - n * (largest + std::log(sum)) - n * d * 0.5 * std::log(2 * pi) - 0.5 * prior;
    for (long c = 0; c < k; ++c) {
        d_alphas[c] = totals[c] - n * std::exp(alphas[c] - largest) / sum;
        double* d_factor = d_factors + c * size;
        long next = d;
        for (long row = 0; row < d; ++row) {
            const double *L = &lower[(c * d + row) * d], *dL = &d_lower[(c * d + row) * d];
            d_factor[row] = totals[c] + L[row] * (dL[row] - L[row]);
            for (long j = 0; j < row; ++j, ++next) d_factor[next] = dL[j] - L[j];
        }
    }
}

void least_squares(const double* w, const double* x, const double* y, long rows, long columns,
                   double* value, double* gradient) {
    std::fill(gradient, gradient + columns, 0.0);
    double total = 0;
    for (long i = 0; i < rows; ++i) {
        const double* row = x + i * columns;
        double parts[8] = {0, 0, 0, 0, 0, 0, 0, 0}, rest = -y[i];
        long j = 0;
        for (; j + 8 <= columns; j += 8)
            for (int p = 0; p < 8; ++p) parts[p] += row[j + p] * w[j + p];
        for (; j < columns; ++j) rest += row[j] * w[j];
        for (int p = 0; p < 8; ++p) rest += parts[p];
        total += rest * rest;
        const double scale = 2 * rest / rows;
        for (j = 0; j < columns; ++j) gradient[j] += scale * row[j];
    }
    *value = total / rows;
}

// Loops over rows and elements: the value is the sum of the squares of what they make.

static double sum_of_squares(const double* x, long count, double* gradient) {
    double total = 0;
    for (long i = 0; i < count; ++i) total += x[i] * x[i], gradient[i] = 2 * x[i];
    return total;
}

void lu(const double* matrix, long n, double* value, double* d) {
    static thread_local vector<double> kept;
    kept.assign(matrix, matrix + n * n);
    double* A = &kept[0];
    for (long i = 0; i < n; ++i) {
        for (long j = 0; j < n; ++j) {
            double rest = A[i * n + j];
            for (long k = 0; k < std::min(i, j); ++k) rest -= A[i * n + k] * A[k * n + j];
            A[i * n + j] = j < i ? rest / A[j * n + j] : rest;
        }
    }
    *value = sum_of_squares(A, n * n, d);
    // All that the products read is what stands there in the end.
    for (long i = n - 1; i >= 0; --i)
        for (long j = n - 1; j >= 0; --j) {
            if (j < i) {
                d[i * n + j] /= A[j * n + j];
                d[j * n + j] -= d[i * n + j] * A[i * n + j];
            }
            const double own = d[i * n + j];
            for (long k = 0; k < std::min(i, j); ++k) {
                d[i * n + k] -= own * A[k * n + j];
                d[k * n + j] -= own * A[i * n + k];
            }
        }
}

void cholesky(const double* matrix, long n, double* value, double* d) {
    static thread_local vector<double> kept;
    kept.assign(n * n, 0.0);
    double* L = &kept[0];
    for (long i = 0; i < n; ++i)
        for (long j = 0; j <= i; ++j) {
            double rest = matrix[i * n + j];
            for (long k = 0; k < j; ++k) rest -= L[i * n + k] * L[j * n + k];
            L[i * n + j] = j < i ? rest / L[j * n + j] : std::sqrt(rest);
        }
    *value = sum_of_squares(L, n * n, d);
    for (long i = n - 1; i >= 0; --i)
        for (long j = i; j >= 0; --j) {
            if (j < i) {
                d[i * n + j] /= L[j * n + j];
                d[j * n + j] -= d[i * n + j] * L[i * n + j];
            } else {
                d[i * n + i] /= 2 * L[i * n + i];
            }
            const double own = d[i * n + j];
            for (long k = 0; k < j; ++k) {
                const double left = L[i * n + k], right = L[j * n + k];
                d[i * n + k] -= own * right;
                d[j * n + k] -= own * left;
            }
        }
}

void trmm(const double* A, const double* B, long n, double* value, double* d_A, double* d_B) {
    std::fill(d_A, d_A + n * n, 0.0);
    std::fill(d_B, d_B + n * n, 0.0);
    double total = 0;
    static thread_local vector<double> row;
    row.resize(n);
    for (long i = 0; i < n; ++i) {
        for (long j = 0; j < n; ++j) row[j] = B[i * n + j];
        for (long k = i + 1; k < n; ++k)
            for (long j = 0; j < n; ++j) row[j] += A[k * n + i] * B[k * n + j];
        for (long j = 0; j < n; ++j) {
            row[j] *= 1.5;
            total += row[j] * row[j];
            row[j] *= 3.0;
            d_B[i * n + j] += row[j];
        }
        for (long k = i + 1; k < n; ++k)
            for (long j = 0; j < n; ++j) {
                d_A[k * n + i] += row[j] * B[k * n + j];
                d_B[k * n + j] += row[j] * A[k * n + i];
            }
    }
    *value = total;
}

void seidel_2d(const double* matrix, long n, long steps, double* value, double* d) {
    static thread_local vector<double> kept, row;
    kept.assign(matrix, matrix + n * n), row.resize(n);
    double* A = &kept[0];
    for (long t = 0; t < steps; ++t)
        for (long i = 1; i < n - 1; ++i)
            for (long j = 1; j < n - 1; ++j) {
                double *own = A + i * n + j, *above = own - n, *below = own + n;
                *own = (above[-1] + above[0] + above[1] + own[-1] + own[0] + own[1] + below[-1] +
                        below[0] + below[1]) / 9.0;
            }
    *value = sum_of_squares(A, n * n, d);
    for (long t = 0; t < steps; ++t)
        for (long i = n - 2; i >= 1; --i)
            for (long j = n - 2; j >= 1; --j) {
                double *own = d + i * n + j, *above = own - n, *below = own + n;
                const double share = *own / 9.0;
                above[-1] += share, above[0] += share, above[1] += share;
                own[-1] += share, own[0] = share, own[1] += share;
                below[-1] += share, below[0] += share, below[1] += share;
            }
}

// Elements

void scalar_function(double x, double* gradient) {
    const double sine = std::sin(x), bell = std::exp(-x), square = 1 + x * x;
    const double dy = std::cos(x) * x + sine - bell, ratio = (sine * x + bell) / square;
    const double h = std::tanh(ratio);
    *gradient = (1 - h * h) * (dy - 2 * ratio * x) / square - 0.5 * dy;
}

void rosenbrock(const double* x, long n, double* gradient) {
    std::fill(gradient, gradient + n, 0.0);
    for (long i = 0; i < n - 1; ++i) {
        const double difference = 200 * (x[i + 1] - x[i] * x[i]);
        gradient[i] += 2 * (x[i] - 1) - 2 * difference * x[i];
        gradient[i + 1] = difference;
    }
}

void elementwise_chain(const double* x, long n, double* gradient) { chain(x, n, gradient); }

void elementwise_chain_single(const float* x, long n, float* gradient) { chain(x, n, gradient); }

}  // extern "C"
