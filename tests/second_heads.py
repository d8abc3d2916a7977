"""The heads of the second decoder, from sections 5 to 8 of docs/formats.md.

A head decodes the pixels of one step. Of each pixel it gets (its row of the tile from it on, row,
column, values of the neighbours `(K, channels)`, values that the tile has at earlier steps); the
options and tensors of the model; and `array(choices, bits) -> values`, a choice being a number of
values and a function value -> start of its interval.
"""

import math

import numpy as np

EXP = [round(65536 * math.exp(-k / 256)) for k in range(3072)]


def network(inputs, w, bias, shifts):
    a1 = np.clip(shift(w["W1"][:, : len(inputs)] @ inputs + bias, shifts[0]), 0, 1023)
    a2 = np.clip(shift(w["W2"] @ a1 + w["b2"], shifts[1]), 0, 1023)
    return a2, shift(w["W3"] @ a2 + w["b3"], shifts[2])


def shift(x, s):
    return x >> s if s >= 0 else x << -s


def raised(f):
    return [f[0] + 65536 - sum(f), *f[1:]]


def softmax(z):
    e = [EXP[min(max(z) - x, 3071)] for x in z]
    r = np.float32(65536 - len(e)) / np.float32(sum(e))
    return raised([1 + int(np.float32(x) * r) for x in e])


def among(f):
    return len(f), lambda v: sum(f[:v])


def categorical(pixels, o, w, array):  # section 6
    firsts, sizes = np.array(o["groups"]), np.diff([*o["groups"], o["values"]])
    group_of = np.repeat(range(len(sizes)), sizes)
    outputs, groups, M = [], {}, o["copies"]
    for _, r, c, near, _ in pixels:
        inputs = np.append(w["FIRST"][near], w["SECOND"][near[: o["near"]]])
        bias = w["b1"] + w["row"][: r + 1][-1] + w["column"][: c + 1][-1]
        a2, z = network(inputs, w, bias, o["shifts"])
        np.add.at(z, group_of[near[: o["group_copies"], 0]], z[len(sizes) :])
        outputs.append((a2, among(softmax(z[: len(sizes)]))))
    for cold in (True, False):
        which = [n for n, pixel in enumerate(pixels) if pixel[3].any() != cold]
        groups.update(zip(which, array([outputs[n][1] for n in which], 16), strict=True))
    which, places = [n for n in range(len(pixels)) if sizes[groups[n]] > 1], []
    for n in which:
        g, (*_, near, earlier) = groups[n], pixels[n]
        u = np.clip(shift(outputs[n][0] * w["gate"][g], o["shifts"][3]), -1023, 1023)
        y = shift(w["W4"] @ u + w["b4"][g], o["shifts"][4])
        values = firsts[g] + np.arange(sizes[g])
        z = y[: sizes[g]] + (values[:, None] == near[:M, 0]) @ y[max(sizes) :][:M]
        z += y[-1] * np.isin(values, list(earlier)) * o["seen"]
        places.append(among(softmax(z)))
    places = dict(zip(which, array(places, 16), strict=True))
    for n, pixel in enumerate(pixels):
        pixel[0][0] = firsts[groups[n]] + places.get(n, 0)


def mixture(pixels, o, w, array):  # section 7
    def planes(x):
        x = x[..., o["order"]]
        return x - np.where(np.array(o["base"]) < 0, 0, x[..., o["base"]])

    for j, channel in enumerate(o["order"]):
        choices, net = [], {name: tensor[j] for name, tensor in w.items()}
        for x, *_, near, _ in pixels:
            N, W, NW = planes(near[:3])
            p = np.maximum(np.minimum(W, N), np.minimum(np.maximum(W, N), W + N - NW))
            inputs = np.append(planes(near) - p, (planes(x[0]) - p)[:j])
            inputs = np.clip(inputs >> o["unit"], -1023, 1023)
            z, m, s = network(inputs, net, net["b1"], o["shifts"])[1].reshape(3, -1)
            c = np.clip(m << o["unit"], -(2**22), 2**22) + 64 * (
                x[0, channel] - planes(x[0])[j] + p[j]
            )
            choices.append(logistics(softmax(z), c.tolist(), np.clip(s, 0, 3071), o["values"]))
        for (x, *_), v in zip(pixels, array(choices, 24), strict=True):
            x[0, channel] = v


def logistics(w, c, s, V):
    T, scales = 512 if V <= 512 else 16384, [math.frexp(math.exp(-k / 256)) for k in s]

    def start(v):
        q = 0
        for w_k, c_k, (mantissa, exponent) in zip(w, c, scales, strict=True):
            product = (64 * v - 32 - c_k) * math.floor(mantissa * 1024 + 0.5) * T
            t = (product >> 11 - exponent) + 13 * T
            S = 2**24 / (1 + math.exp(13 - t / T)) if 0 < t < 26 * T else (t > 0) << 24
            q += w_k * round(S)
        return v + ((q >> 16) * (2**24 - V) >> 24) if 0 < v < V else (v > 0) << 24

    return V, start


def codes(pixels, o, w, array):  # section 8
    unit = pixels[0][2]
    counts = np.split(w["counts"], np.cumsum(w["symbols"]))[unit]
    total = int(sum(counts))
    f = raised([1 + int(count) * (65536 - len(counts)) // total for count in counts])
    for (x, *_), v in zip(pixels, array([among(f)] * len(pixels), 16), strict=True):
        x[0] = v


HEADS = {"categorical": categorical, "mixture": mixture, "codes": codes}
