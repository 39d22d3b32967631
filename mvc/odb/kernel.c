/* The inner loops of delta coding, compiled: what mvc/odb/loops.py says, and does in NumPy, bit for bit.

   All arithmetic is on unsigned integers, modulo the width of a number. Nothing in a payload decides where memory is
   read or written: every place is bounded by the lengths of buffers, and by how many numbers of a block have each class,
   counted here. That holds even where another thread writes to what is read.

   Numbers are worked on in blocks that the first cache holds: classes and arithmetic of all of a block, in loops that a
   compiler makes vectors of; its numbers by class; each class's bytes, to or from their planes.

   This file includes itself, once for each width: NUMBER is that width's type, WIDE one that is not promoted to int.
   It is one file, and long for one, so that there is one thing to compile. */

#ifndef NUMBER

#define PY_SSIZE_T_CLEAN
#define Py_LIMITED_API 0x030b0000
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if !defined(__BYTE_ORDER__) || __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "numbers are little-endian here; elsewhere NumPy does without this"
#endif

/* To be changed with what any function takes or does: what was built from an earlier source is not used then. */
#define INTERFACE 1
#define MAX_CLASSES 12
#define BLOCK 2048

typedef struct {
    int width, mantissa, eighths, classes, top; /* mantissa -1: whole numbers */
    size_t count;
    const uint8_t *first, *second; /* NULL: there is no such base */
} Terms;

/* Where in a plane each class goes on, and where it ends. */
typedef struct {
    size_t next[MAX_CLASSES], end[MAX_CLASSES];
} Places;

/* Where each class begins among the numbers of a block in the order of their classes; the last bound is their count. */
static void bound(const uint8_t *classes, size_t count, size_t bounds[MAX_CLASSES + 1])
{
    uint32_t counts[4][MAX_CLASSES] = {{0}}; /* four, as adding to what was just added to waits for that */
    size_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int k = 0; k < 4; k++)
            counts[k][classes[i + k]]++;
    for (; i < count; i++)
        counts[0][classes[i]]++;
    bounds[0] = 0;
    for (int c = 0; c < MAX_CLASSES; c++)
        bounds[c + 1] = bounds[c] + counts[0][c] + counts[1][c] + counts[2][c] + counts[3][c];
}

#define JOINED(name, type) name##_##type
#define SPECIFIC(name, type) JOINED(name, type)
#define NAME(name) SPECIFIC(name, NUMBER)

#define NUMBER uint8_t
#define WIDE uint32_t
#include "kernel.c"
#define NUMBER uint16_t
#define WIDE uint32_t
#include "kernel.c"
#define NUMBER uint32_t
#define WIDE uint32_t
#include "kernel.c"
#define NUMBER uint64_t
#define WIDE uint64_t
#include "kernel.c"

#define FOR_WIDTH(name, terms) \
    ((terms).width == 1 ? JOINED(name, uint8_t) : (terms).width == 2 ? JOINED(name, uint16_t) \
     : (terms).width == 4 ? JOINED(name, uint32_t) : JOINED(name, uint64_t))

/* Completes terms for numbers of so many bytes. 0 where they are not as loops.py says. */
static int complete(Terms *terms, const Py_buffer *first, const Py_buffer *second, Py_ssize_t size)
{
    int width = terms->width, mantissa = terms->mantissa;
    if (width != 1 && width != 2 && width != 4 && width != 8)
        return 0;
    terms->count = (size_t)(size / width);
    terms->first = first->len ? first->buf : NULL;
    terms->second = second->len ? second->buf : NULL;
    return size % width == 0 && first->len == (terms->first ? size : 0) && second->len == (terms->second ? size : 0) &&
           (terms->first || !size || (terms->classes == 1 && !terms->second)) &&
           (mantissa == -1 || (mantissa >= 0 && mantissa >= 8 * width - 15 && mantissa <= 8 * width - 2)) &&
           terms->eighths >= -8 && terms->eighths <= 8 && terms->classes >= 1 && terms->classes <= MAX_CLASSES &&
           terms->top >= 0 && terms->top <= INT16_MAX;
}

static void release(Py_buffer *held, int count)
{
    while (count--)
        PyBuffer_Release(&held[count]);
}

static PyObject *refuse(void)
{
    PyErr_SetString(PyExc_ValueError, "lengths, counts and terms do not fit each other");
    return NULL;
}

static PyObject *counts_of(const Places *places, int classes)
{
    PyObject *counts = PyTuple_New(classes);
    for (int c = 0; counts && c < classes; c++) {
        PyObject *count = PyLong_FromSize_t(places->end[c] - (c ? places->end[c - 1] : 0));
        if (!count || PyTuple_SetItem(counts, c, count) < 0) /* which takes over the count */
            Py_CLEAR(counts);
    }
    return counts;
}

static PyObject *tally(PyObject *self, PyObject *args)
{
    Terms terms;
    Places places;
    Py_buffer held[1];
    (void)self;
    if (!PyArg_ParseTuple(args, "y*(iiiii):tally", &held[0], &terms.width, &terms.mantissa, &terms.eighths,
                          &terms.classes, &terms.top))
        return NULL;
    int fits = complete(&terms, &held[0], &held[0], held[0].len);
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        FOR_WIDTH(tally, terms)(&terms, &places);
        Py_END_ALLOW_THREADS
    }
    release(held, 1);
    return fits ? counts_of(&places, terms.classes) : refuse();
}

static PyObject *split(PyObject *self, PyObject *args)
{
    Terms terms;
    Places places;
    Py_buffer held[4]; /* values, first, second, planes */
    (void)self;
    if (!PyArg_ParseTuple(args, "y*y*y*(iiiii)w*:split", &held[0], &held[1], &held[2], &terms.width, &terms.mantissa,
                          &terms.eighths, &terms.classes, &terms.top, &held[3]))
        return NULL;
    int fits = complete(&terms, &held[1], &held[2], held[0].len) && held[3].len == held[0].len;
    if (fits) {
        Py_BEGIN_ALLOW_THREADS
        FOR_WIDTH(tally, terms)(&terms, &places);
        fits = FOR_WIDTH(split, terms)(&terms, held[0].buf, held[3].buf, &places);
        Py_END_ALLOW_THREADS
    }
    release(held, 4);
    return fits ? counts_of(&places, terms.classes) : refuse();
}

static PyObject *join(PyObject *self, PyObject *args)
{
    Terms terms;
    Places places;
    Py_buffer held[4]; /* planes, first, second, values */
    PyObject *counts;
    size_t end = 0;
    (void)self;
    if (!PyArg_ParseTuple(args, "y*O!y*y*(iiiii)w*:join", &held[0], &PyTuple_Type, &counts, &held[1], &held[2],
                          &terms.width, &terms.mantissa, &terms.eighths, &terms.classes, &terms.top, &held[3]))
        return NULL;
    int fits = complete(&terms, &held[1], &held[2], held[3].len) && held[0].len == held[3].len &&
               PyTuple_Size(counts) == terms.classes;
    for (int c = 0; fits && c < terms.classes; c++) {
        size_t count = PyLong_AsSize_t(PyTuple_GetItem(counts, c)); /* the greatest of all where it is none */
        fits = !PyErr_Occurred() && count <= terms.count - end;
        places.next[c] = end;
        places.end[c] = end += fits ? count : 0;
    }
    if (fits && end == terms.count) {
        Py_BEGIN_ALLOW_THREADS
        fits = FOR_WIDTH(join, terms)(&terms, held[0].buf, held[3].buf, &places);
        Py_END_ALLOW_THREADS
    } else
        fits = 0;
    release(held, 4);
    if (fits)
        Py_RETURN_NONE;
    PyErr_Clear();
    return refuse();
}

static int add_interface(PyObject *module)
{
    return PyModule_AddIntConstant(module, "INTERFACE", INTERFACE);
}

static PyMethodDef methods[] = {{"tally", tally, METH_VARARGS, NULL},
                                {"split", split, METH_VARARGS, NULL},
                                {"join", join, METH_VARARGS, NULL},
                                {NULL, NULL, 0, NULL}};
static PyModuleDef_Slot slots[] = {{Py_mod_exec, add_interface}, {0, NULL}};
static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "_kernel", .m_methods = methods, .m_slots = slots};

PyMODINIT_FUNC PyInit__kernel(void)
{
    return PyModuleDef_Init(&definition);
}

#else

#define BITS (8 * (int)sizeof(NUMBER))
#define SIGN ((NUMBER)((NUMBER)1 << (BITS - 1)))
#define LARGEST ((NUMBER)(SIGN - 1))

static inline NUMBER NAME(load)(const uint8_t *from, size_t place)
{
    NUMBER bits;
    memcpy(&bits, from + place * sizeof(bits), sizeof(bits)); /* it may lie anywhere */
    return bits;
}

/* All bits where this one is set, none where it is not. */
static inline NUMBER NAME(spread)(NUMBER bit)
{
    return (NUMBER)((WIDE)0 - (WIDE)bit);
}

static inline NUMBER NAME(order)(NUMBER bits)
{
    return bits ^ (NAME(spread)(bits >> (BITS - 1)) & LARGEST);
}

/* The class of each number of a block. */
static void NAME(classify)(const Terms *terms, size_t start, size_t count, uint8_t *classes)
{
    int16_t top = (int16_t)terms->top, last = (int16_t)(terms->classes - 1);
    int shift = terms->mantissa < 0 ? BITS - 1 : terms->mantissa;
    for (size_t i = 0; i < count; i++) {
        int16_t exponent = (int16_t)((NAME(load)(terms->first, start + i) & LARGEST) >> shift); /* of 14 bits at most */
        int16_t below = (int16_t)(top - exponent);
        below = below > 0 ? below : 0;
        classes[i] = (uint8_t)(below < last ? below : last);
    }
}

static void NAME(tally)(const Terms *terms, Places *places)
{
    uint8_t classes[BLOCK];
    size_t counts[MAX_CLASSES] = {0}, end = 0, bounds[MAX_CLASSES + 1];
    for (size_t start = 0; terms->classes > 1 && start < terms->count; start += BLOCK) {
        size_t count = terms->count - start < BLOCK ? terms->count - start : BLOCK;
        NAME(classify)(terms, start, count, classes);
        bound(classes, count, bounds);
        for (int c = 0; c < MAX_CLASSES; c++)
            counts[c] += bounds[c + 1] - bounds[c];
    }
    if (terms->classes == 1)
        counts[0] = terms->count;
    for (int c = 0; c < MAX_CLASSES; c++) {
        places->next[c] = end;
        places->end[c] = end += counts[c];
    }
}

/* What is expected of the ordered numbers of a block. */
static void NAME(predict)(const Terms *terms, size_t start, size_t count, NUMBER *expected)
{
    const uint8_t *first = terms->first, *second = terms->second;
    WIDE limit = (WIDE)1 << (terms->mantissa < 0 ? 0 : terms->mantissa), eighths = (WIDE)terms->eighths;
    if (!first)
        memset(expected, 0, count * sizeof(*expected));
    else if (terms->mantissa < 0)
        memcpy(expected, first + start * sizeof(*expected), count * sizeof(*expected));
    else if (!second || !eighths)
        for (size_t i = 0; i < count; i++)
            expected[i] = NAME(order)(NAME(load)(first, start + i));
    else
        for (size_t i = 0; i < count; i++) {
            NUMBER near = NAME(order)(NAME(load)(first, start + i)), far = NAME(order)(NAME(load)(second, start + i));
            NUMBER moved = (NUMBER)((WIDE)near - (WIDE)far);
            moved = (NUMBER)(moved + limit) > 2 * limit ? 0 : moved; /* below -limit, or above limit */
            moved = (NUMBER)((WIDE)moved * eighths + 4);
            moved = (NUMBER)((WIDE)((NUMBER)(moved ^ SIGN) >> 3) - (WIDE)(SIGN >> 3)); /* an arithmetic shift */
            expected[i] = (NUMBER)((WIDE)near + (WIDE)moved);
        }
}

/* 0 where the classes have changed since they were counted. */
static int NAME(split)(const Terms *terms, const uint8_t *values, uint8_t *planes, Places *places)
{
    NUMBER folded[BLOCK], grouped[BLOCK];
    uint8_t classes[BLOCK];
    for (size_t start = 0; start < terms->count; start += BLOCK) {
        size_t count = terms->count - start < BLOCK ? terms->count - start : BLOCK;
        size_t bounds[MAX_CLASSES + 1] = {0, count}, next[MAX_CLASSES];
        const NUMBER *from = folded;
        NAME(predict)(terms, start, count, folded);
        for (size_t i = 0; i < count; i++) {
            NUMBER bits = NAME(load)(values, start + i);
            NUMBER target = terms->mantissa < 0 ? bits : NAME(order)(bits);
            NUMBER residual = (NUMBER)((WIDE)target - (WIDE)folded[i]);
            folded[i] = (NUMBER)((WIDE)residual << 1) ^ NAME(spread)(residual >> (BITS - 1));
        }
        if (terms->classes > 1) {
            NAME(classify)(terms, start, count, classes);
            bound(classes, count, bounds);
            memcpy(next, bounds, sizeof(next));
            for (size_t i = 0; i < count; i++)
                grouped[next[classes[i]]++] = folded[i];
            from = grouped;
        }
        for (int c = 0; c < terms->classes; c++) {
            size_t many = bounds[c + 1] - bounds[c];
            if (many > places->end[c] - places->next[c])
                return 0;
            for (int k = 0; k < (int)sizeof(NUMBER); k++) {
                uint8_t *plane = planes + (size_t)k * terms->count + places->next[c];
                for (size_t i = 0; i < many; i++)
                    plane[i] = (uint8_t)(from[bounds[c] + i] >> (8 * k));
            }
            places->next[c] += many;
        }
    }
    return 1;
}

/* 0 where the counts are not those of the classes. */
static int NAME(join)(const Terms *terms, const uint8_t *planes, uint8_t *values, Places *places)
{
    NUMBER folded[BLOCK], grouped[BLOCK], expected[BLOCK];
    uint8_t classes[BLOCK];
    for (size_t start = 0; start < terms->count; start += BLOCK) {
        size_t count = terms->count - start < BLOCK ? terms->count - start : BLOCK;
        size_t bounds[MAX_CLASSES + 1] = {0, count}, next[MAX_CLASSES];
        const NUMBER *from = grouped;
        if (terms->classes > 1) {
            NAME(classify)(terms, start, count, classes);
            bound(classes, count, bounds);
        }
        for (int c = 0; c < terms->classes; c++) {
            const uint8_t *plane = planes + places->next[c];
            size_t many = bounds[c + 1] - bounds[c];
            if (many > places->end[c] - places->next[c])
                return 0;
            for (size_t i = 0; i < many; i++) {
                NUMBER bits = 0;
                for (int k = 0; k < (int)sizeof(NUMBER); k++)
                    bits |= (NUMBER)((WIDE)plane[(size_t)k * terms->count + i] << (8 * k));
                grouped[bounds[c] + i] = bits;
            }
            places->next[c] += many;
        }
        if (terms->classes > 1) {
            memcpy(next, bounds, sizeof(next));
            for (size_t i = 0; i < count; i++)
                folded[i] = grouped[next[classes[i]]++];
            from = folded;
        }
        NAME(predict)(terms, start, count, expected);
        for (size_t i = 0; i < count; i++) {
            NUMBER residual = (NUMBER)(from[i] >> 1) ^ NAME(spread)(from[i] & 1);
            NUMBER target = (NUMBER)((WIDE)residual + (WIDE)expected[i]);
            NUMBER bits = terms->mantissa < 0 ? target : NAME(order)(target);
            memcpy(values + (start + i) * sizeof(bits), &bits, sizeof(bits));
        }
    }
    return 1;
}

#undef NUMBER
#undef WIDE
#undef BITS
#undef SIGN
#undef LARGEST

#endif
