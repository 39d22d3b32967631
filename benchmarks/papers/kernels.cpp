/* Training of the first paper's two networks, one model at a time: the arithmetic of mvc.zoo in loops that a compiler
 * vectorises. Owns forward, backward and the optimisers' updates for these two shapes; all else is trainer.py's.
 */
#include <math.h>
#include <stdint.h>
#include <string.h>

enum {
    AHEAD = 8,
    PIXELS = 196, HIDDEN = 10, CLASSES = 10,
    TAPS = 9, CHANNELS = 16, CELLS = 9, POOL = 4, FLAT = CELLS * CHANNELS, UNITS = 8,
    MLP = PIXELS * HIDDEN + HIDDEN * HIDDEN + CLASSES * HIDDEN,
    CNN = TAPS * CHANNELS + UNITS * FLAT + CLASSES * UNITS
};

typedef float Channels __attribute__((vector_size(4 * CHANNELS), aligned(4)));
typedef int32_t Choices __attribute__((vector_size(4 * CHANNELS), aligned(4)));

/* Outputs y[rows] of weights w[rows][n] for an input x[n]. */
static inline void linear(const float *__restrict w, const float *__restrict x, float *__restrict y, int rows, int n) {
    for (int r = 0; r < rows; r++) {
        float sum = 0;
        for (int i = 0; i < n; i++) sum += w[r * n + i] * x[i];
        y[r] = sum;
    }
}

/* Adds the gradients of `linear`: of its weights to g, of its input to dx (set, not added; NULL: not wanted). */
static inline void linear_back(const float *__restrict w, const float *__restrict x, const float *__restrict dy,
                               float *__restrict g, float *__restrict dx, int rows, int n) {
    if (dx) memset(dx, 0, n * sizeof *dx);
    for (int r = 0; r < rows; r++) {
        for (int i = 0; i < n; i++) g[r * n + i] += dy[r] * x[i];
        if (dx) for (int i = 0; i < n; i++) dx[i] += dy[r] * w[r * n + i];
    }
}

/* The class of the largest output; turns outputs into the gradient of the squared error, times `scale`. */
static inline int judge(float *y, int label, float scale) {
    int best = 0;
    for (int c = 1; c < CLASSES; c++) if (y[c] > y[best]) best = c;
    for (int c = 0; c < CLASSES; c++) y[c] = scale * (y[c] - (c == label));
    return best;
}

/* 196-10-10-10 with sigmoids; returns the class found and, with g, adds the gradient. */
static inline int mlp(const float *x, int label, const float *w, float *g, float scale) {
    const float *w2 = w + PIXELS * HIDDEN, *w3 = w2 + HIDDEN * HIDDEN;
    float a[HIDDEN], b[HIDDEN], y[CLASSES], da[HIDDEN], db[HIDDEN];
    linear(w, x, a, HIDDEN, PIXELS);
    for (int i = 0; i < HIDDEN; i++) a[i] = 1 / (1 + expf(-a[i]));
    linear(w2, a, b, HIDDEN, HIDDEN);
    for (int i = 0; i < HIDDEN; i++) b[i] = 1 / (1 + expf(-b[i]));
    linear(w3, b, y, CLASSES, HIDDEN);
    int found = judge(y, label, scale);
    if (g) {
        linear_back(w3, b, y, g + (w3 - w), db, CLASSES, HIDDEN);
        for (int i = 0; i < HIDDEN; i++) db[i] *= b[i] * (1 - b[i]);
        linear_back(w2, a, db, g + (w2 - w), da, HIDDEN, HIDDEN);
        for (int i = 0; i < HIDDEN; i++) da[i] *= a[i] * (1 - a[i]);
        linear_back(w, x, da, g, NULL, HIDDEN, PIXELS);
    }
    return found;
}

#define LEAK 0.01f
/* The patch under place q of the pool's window `cell`. */
#define PATCH(x, cell, q) ((x) + TAPS * (6 * ((cell) / 3 * 2 + (q) / 2) + (cell) % 3 * 2 + (q) % 2))

/* Convolution, max-pool, leaky ReLU, convolution over all that is left, leaky ReLU, linear. x[6·6][9] are patches; the
 * first layer's weights are [tap][channel], the second's [unit][cell][channel]. Ties of the pool go to the first. */
static inline int cnn(const float *x, int label, const float *w, float *g, float scale) {
    const float *w2 = w + TAPS * CHANNELS, *w3 = w2 + UNITS * FLAT;
    const Channels *w1 = (const Channels *)w, none = {0};
    Channels top[CELLS], a[CELLS], da[CELLS];
    Choices from[CELLS];
    float u[UNITS], v[UNITS], dv[UNITS], y[CLASSES];
    for (int cell = 0; cell < CELLS; cell++)
        for (int q = 0; q < POOL; q++) {
            const float *patch = PATCH(x, cell, q);
            Channels z = none;
            for (int t = 0; t < TAPS; t++) z += patch[t] * w1[t];
            const Choices better = q ? z > top[cell] : (Choices)(none == none);
            from[cell] = better ? Choices{} + q : from[cell];
            top[cell] = better ? z : top[cell];
        }
    for (int cell = 0; cell < CELLS; cell++) a[cell] = top[cell] > 0 ? top[cell] : top[cell] * LEAK;
    linear(w2, (const float *)a, u, UNITS, FLAT);
    for (int i = 0; i < UNITS; i++) v[i] = u[i] > 0 ? u[i] : u[i] * LEAK;
    linear(w3, v, y, CLASSES, UNITS);
    int found = judge(y, label, scale);
    if (g) {
        linear_back(w3, v, y, g + (w3 - w), dv, CLASSES, UNITS);
        for (int i = 0; i < UNITS; i++) dv[i] *= u[i] > 0 ? 1 : LEAK;
        linear_back(w2, (const float *)a, dv, g + (w2 - w), (float *)da, UNITS, FLAT);
        Channels *g1 = (Channels *)g, sums[TAPS] = {none};
        for (int cell = 0; cell < CELLS; cell++) {
            const Channels slope = top[cell] > 0 ? da[cell] : da[cell] * LEAK;
            for (int q = 0; q < POOL; q++) {
                const Channels d = from[cell] == q ? slope : none;
                for (int t = 0; t < TAPS; t++) sums[t] += PATCH(x, cell, q)[t] * d;
            }
        }
        for (int t = 0; t < TAPS; t++) g1[t] += sums[t];
    }
    return found;
}

static inline int image(int conv, const float *x, int label, const float *w, float *g, float scale) {
    return conv ? cnn(x, label, w, g, scale) : mlp(x, label, w, g, scale);
}

/* lr, momentum, weight decay, β1, β2, ε; adamw: 0 is SGD with momentum in `first`. Steps counts those made before. */
struct recipe { int32_t conv, adamw, batch, sum; float lr, momentum, decay, beta1, beta2, eps; };

/* Trains one model on images order[n] of x[][width], whose labels are y[]. */
extern "C" void train(const struct recipe *r, const float *x, int64_t width, const int64_t *y, const int64_t *order, int64_t n,
           float *__restrict w, float *__restrict first, float *__restrict second, double *steps) {
    float g[MLP > CNN ? MLP : CNN];
    const int size = r->conv ? CNN : MLP;
    for (int64_t at = 0; at < n; at += r->batch) {
        const int batch = n - at < r->batch ? n - at : r->batch;
        const float scale = r->sum ? 2.0f : 2.0f / (batch * CLASSES);
        memset(g, 0, sizeof g);
        for (int64_t i = at; i < at + batch; i++) {
            if (i + AHEAD < n)  /* images come in random order from far away: half of the time was spent waiting */
                for (int64_t j = 0; j < width; j += 16) __builtin_prefetch(x + order[i + AHEAD] * width + j);
            image(r->conv, x + order[i] * width, y[order[i]], w, g, scale);
        }
        if (!r->adamw) {
            for (int i = 0; i < size; i++) {
                first[i] = r->momentum * first[i] + g[i] + r->decay * w[i];
                w[i] -= r->lr * first[i];
            }
            continue;
        }
        *steps += 1;
        const float scaling = sqrt(1 - pow(r->beta2, *steps)), size_of_step = r->lr / (1 - pow(r->beta1, *steps));
        for (int i = 0; i < size; i++) {
            first[i] += (1 - r->beta1) * (g[i] - first[i]);
            second[i] = r->beta2 * second[i] + (1 - r->beta2) * g[i] * g[i];
            w[i] = w[i] * (1 - r->lr * r->decay) - first[i] * size_of_step / (sqrtf(second[i]) / scaling + r->eps);
        }
    }
}

/* How many of n images one model puts into their classes. */
extern "C" int64_t right(const struct recipe *r, const float *x, int64_t width, const int64_t *y, int64_t n, const float *w) {
    int64_t count = 0;
    for (int64_t i = 0; i < n; i++) count += image(r->conv, x + i * width, y[i], w, NULL, 0) == y[i];
    return count;
}
