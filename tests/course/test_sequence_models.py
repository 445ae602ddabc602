"""What the course does with sequences: translation, language models, sentiment, Transformers, on small made tasks."""

from collections import Counter
from math import exp, log

import numpy as np
import pytest

from fastnn import Input, Model, Sequential, layers, ops, text
from fastnn.losses import SparseCategoricalCrossentropy
from fastnn.optimizers import Adam
from fastnn.random import set_random_seed

PADDING, START, END = 0, 1, 2
LOGITS = SparseCategoricalCrossentropy(from_logits=True)


@pytest.fixture(autouse=True)
def seed():
    set_random_seed(0)


class Translator:
    """An encoder whose last state, the context vector, is where the decoder begins; told the true word before."""

    def __init__(self, sources, targets, units):
        source, given = Input((None,), dtype="int64"), Input((None,), dtype="int64")
        read = layers.Embedding(sources, 16, mask_zero=True)(source)
        _, context = layers.GRU(units, return_state=True)(read)
        words = layers.Embedding(targets, 16, mask_zero=True)(given)
        written = layers.GRU(units, return_sequences=True)(words, initial_state=context)
        self.model = Model([source, given], layers.Dense(targets)(written))
        self.model.compile(Adam(1e-2, clipnorm=1.0), LOGITS)

    def fit(self, sources, targets, epochs):
        given, wanted = text.teacher_forcing(targets, START)
        self.model.fit([sources, given], wanted, batch_size=32, epochs=epochs, verbose=0)

    def step(self, source):
        """The decoder as a step function: reads its own words."""
        return lambda tokens, state: (self.model([np.repeat(source[None], len(tokens), 0), tokens])[:, -1], state)

    def __call__(self, source):
        return text.greedy_search(self.step(source), START, END, 12)


def test_an_encoder_and_a_decoder_reverse_what_they_never_saw(rng):
    """12.09: through a context vector of fixed length, until EOS."""
    every = [[a, b, c][:n] for a in range(3, 9) for b in range(3, 9) for c in range(3, 9) for n in (2, 3)]
    every = [list(s) for s in sorted(set(map(tuple, every)))]
    rng.shuffle(every)
    sources = text.pad_sequences(every, 3, "int64", padding="post")
    targets = text.pad_sequences([[*s[::-1], END] for s in every], 4, "int64", padding="post")
    translator = Translator(9, 9, 64)
    translator.fit(sources[:200], targets[:200], 60)
    exact = [translator(source) == one[::-1] for source, one in zip(sources[200:], every[200:], strict=True)]
    assert len(exact) == 52 and np.mean(exact) >= 0.9


def bleu(found, wanted, longest=4):
    """Of a corpus: the geometric mean of clipped n-gram precisions, times the penalty for brevity."""
    logs = []
    for n in range(1, longest + 1):
        hits = total = 0
        for one, right in zip(found, wanted, strict=True):
            grams, known = (Counter(tuple(s[i : i + n]) for i in range(len(s) - n + 1)) for s in (one, right))
            hits, total = hits + sum((grams & known).values()), total + sum(grams.values())
        logs.append(log(hits / total) if hits else -np.inf)
    lengths = sum(map(len, found)), sum(map(len, wanted))
    return exp(min(0.0, 1 - lengths[1] / lengths[0]) + sum(logs) / longest)


FRENCH = {
    "cat": "chat", "dog": "chien", "bird": "oiseau", "child": "enfant", "big": "grand", "black": "noir",
    "calm": "calme", "sees": "voit", "hears": "entend", "follows": "suit", "the": "le", "a": "un",
}  # fmt: skip


def sentences(rng, n):
    """English, and a French whose adjectives stand behind their nouns."""

    def thing():
        article, colour, noun = rng.choice(["the", "a"]), rng.choice(["big", "black", "calm", ""]), rng.choice(NOUNS)
        return [w for w in (article, colour, noun) if w], [FRENCH[w] for w in (article, noun, colour) if w]

    pairs = []
    while len(pairs) < n:
        (who, qui), (what, quoi), verb = thing(), thing(), rng.choice(["sees", "hears", "follows"])
        pairs.append(([*who, verb, *what], [*qui, FRENCH[verb], *quoi]))
    return pairs


NOUNS = ["cat", "dog", "bird", "child"]


def numbered(rows, words, length, end=()):
    return text.pad_sequences([[*(words[w] for w in row), *end] for row in rows], length, "int64", padding="post")


def test_a_toy_corpus_is_translated_to_more_than_nine_tenths_of_bleu(rng):
    """12.17, and 12.16: the log-probability of a translation is the sum of those of its words."""
    assert bleu([["a"] * 7], [["a", "b"]], 1) == pytest.approx(1 / 7)
    pairs = sentences(rng, 1600)
    known = {tuple(english) for english, _ in pairs[:1500]}
    new = [pair for pair in pairs[1500:] if tuple(pair[0]) not in known]
    english, french = ({w: i for i, w in enumerate(sorted(words), 3)} for words in (FRENCH, FRENCH.values()))
    sources, targets = zip(*pairs[:1500], strict=True)
    translator = Translator(len(english) + 3, len(french) + 3, 64)
    translator.fit(numbered(sources, english, 7), numbered(targets, french, 8, [END]), 12)
    back = {number: word for word, number in french.items()}
    rows = numbered([source for source, _ in new], english, 7)
    found = [[back.get(token, "") for token in translator(row)] for row in rows]
    assert len(new) > 50 and bleu(found, [target for _, target in new]) > 0.9

    tokens = [french[word] for word in new[0][1]] + [END]
    logs = ops.log_softmax(translator.model([rows[:1], np.array([[START, *tokens[:-1]]])]))[0]
    each = sum(float(logs[i, token]) for i, token in enumerate(tokens))
    assert text.log_probability(translator.step(rows[0]), START, tokens) == pytest.approx(each, rel=1e-4)


def perplexity(model, x, y):
    return exp(model.evaluate(x, y, verbose=0))


def language_model(tokens, units=24):
    model = Sequential(
        [layers.Embedding(tokens, 12, mask_zero=True), layers.LSTM(units, return_sequences=True), layers.Dense(tokens)]
    )
    model.compile(Adam(1e-2), LOGITS)
    return model


def test_a_language_model_of_words_falls_to_the_perplexity_of_its_language(rng):
    """12.13: words beyond the vocabulary are <UNK>, sentences end with <EOS>."""
    seldom = iter(f"name{i}" for i in range(1000))
    corpus = []
    for _ in range(300):
        noun = next(seldom) if rng.random() < 0.25 else rng.choice(["cat", "dog", "bird"])
        corpus.append(["the", noun, rng.choice(["sat", "ran"]), "<EOS>"])
    frequent = [word for word, n in Counter(w for s in corpus for w in s).items() if n > 5]
    words = {"<PAD>": 0, "<S>": 1, "<EOS>": 2, "<UNK>": 3}
    words.update({w: i for i, w in enumerate(sorted(set(frequent) - {"<EOS>"}), 4)})
    assert len(words) == 10
    y = np.array([[words.get(w, 3) for w in sentence] for sentence in corpus])
    x, y = text.teacher_forcing(y, 1)
    model = language_model(len(words))
    model.build((None, 4))
    before = perplexity(model, x[200:], y[200:])
    model.fit(x[:200], y[:200], batch_size=20, epochs=15, verbose=0)
    after = perplexity(model, x[200:], y[200:])
    of_the_language = 8 ** (1 / 4)  # one of four nouns and one of two verbs in four words
    assert 9 < before < 11 and of_the_language * 0.97 < after < of_the_language * 1.06

    names = {number: word for word, number in words.items()}

    def step(tokens, state):
        return model(tokens)[:, -1], state

    drawn = [[names[t] for t in text.sample(step, 1, 2, 9, rejected=[3, 0], seed=i)] for i in range(40)]
    fitting = [len(s) == 3 and s[0] == "the" and s[1] in NOUNS and s[2] in ("sat", "ran") for s in drawn]
    assert sum(fitting) >= 36 and not any("<UNK>" in s for s in drawn)


def test_a_language_model_of_characters_has_a_small_vocabulary(rng):
    """12.14: no word is unknown; most characters follow from those before."""
    said = " ".join(rng.choice(["one", "two", "three", "seven"], 600))
    characters = sorted(set(said))
    numbers = np.array([1 + characters.index(c) for c in said])
    steps = len(numbers) // 21 * 21
    rows = numbers[:steps].reshape(-1, 21)
    model = language_model(1 + len(characters))
    model.fit(rows[:100, :-1], rows[:100, 1:], batch_size=10, epochs=12, verbose=0)
    after = perplexity(model, rows[100:, :-1], rows[100:, 1:])
    of_counts = exp(-np.mean([log(said.count(c) / len(said)) for c in said]))
    # four words of equal chance, and their mean length with the space behind them
    of_the_language = 4 ** (1 / np.mean([4, 4, 6, 6]))
    assert len(characters) == 10 and of_counts > 7 and of_the_language * 0.97 < after < of_the_language * 1.12


# ---- sentiment ----


def review(rng):
    good, turned = rng.integers(2), rng.integers(2)
    words = ["lacking", "in"] if turned else ["full", "of"]
    for _ in range(rng.integers(1, 4)):
        words += [rng.choice(["good", "great"] if good else ["bad", "poor"]), rng.choice(["taste", "service", "food"])]
    return words, int(good ^ turned)


def test_a_recurrent_net_understands_negation_and_the_mean_of_embeddings_does_not(rng):
    """12.24: 'completely lacking in good taste, good service ...'."""
    reviews, pleased = zip(*(review(rng) for _ in range(800)), strict=True)
    words = {w: i for i, w in enumerate(sorted({w for r in reviews for w in r}), 1)}
    x, y = numbered(reviews, words, 8), np.array(pleased)
    right = {}
    for name, reader in (("mean", layers.GlobalAveragePooling1D()), ("LSTM", layers.LSTM(16))):
        model = Sequential(
            [layers.Embedding(len(words) + 1, 8, mask_zero=True), reader, layers.Dense(1, activation="sigmoid")]
        )
        model.compile(Adam(1e-2), "binary_crossentropy", metrics=["accuracy"])
        model.fit(x[:400], y[:400], batch_size=20, epochs=15, verbose=0)
        right[name] = model.evaluate(x[400:], y[400:], verbose=0)[1]
    course = ["lacking", "in", "good", "taste", "good", "service", "good", "food"]
    assert float(model(numbered([course], words, 8))[0, 0]) < 0.1
    assert right["LSTM"] > 0.98 and right["mean"] < 0.75, right


# ---- uses of Transformers (12.12) ----


def attended(tokens, width=16, causal=False):
    """Tokens with their positions, through one block."""
    source = Input((None,), dtype="int64")
    x = layers.TokenAndPositionEmbedding(tokens, 12, width)(source)
    block = layers.TransformerDecoder(32, 2) if causal else layers.TransformerEncoder(32, 2)
    return source, block(x)


def test_a_transformer_adds_up_what_it_reads(rng):
    source, read = attended(5)
    model = Model(source, layers.Dense(1)(layers.GlobalAveragePooling1D()(read)))
    model.compile(Adam(1e-2), "mse")
    x = rng.integers(0, 5, (1200, 6))
    model.fit(x[:1000], x[:1000].sum(1, keepdims=True), batch_size=50, epochs=20, verbose=0)
    assert np.mean(np.abs(model.predict(x[1000:], verbose=0)[:, 0] - x[1000:].sum(1)) < 0.5) > 0.95


def test_a_transformer_predicts_the_next_item(rng):
    """Each buyer goes on in steps of one size, which only two items together tell."""
    first, stride = rng.integers(0, 7, (500, 1)), rng.integers(1, 4, (500, 1))
    rows = (first + stride * np.arange(9)) % 7
    source, read = attended(7, causal=True)
    model = Model(source, layers.Dense(7)(read))
    model.compile(Adam(1e-2), LOGITS)
    model.fit(rows[:400, :-1], rows[:400, 1:], batch_size=40, epochs=25, verbose=0)
    found = model.predict(rows[400:, :-1], verbose=0).argmax(-1)
    assert np.mean(found[:, 1:] == rows[400:, 2:]) > 0.97


def test_a_transformer_finds_what_it_cannot_rebuild(rng):
    """Anomalies have the larger error of reconstruction."""
    t = np.arange(16)

    def waves(n):
        return np.sin(2 * np.pi * (t / rng.uniform(7, 9, (n, 1)) + rng.random((n, 1))))[..., None].astype(np.float32)

    source = Input((16, 1))
    x = layers.Dense(16)(source)
    x = x + layers.PositionEmbedding(16)(x)
    x = layers.Dense(3)(layers.Flatten()(layers.TransformerEncoder(32, 2)(x)))  # no more than this may pass
    model = Model(source, layers.Reshape((16, 1))(layers.Dense(16)(layers.Dense(32, "tanh")(x))))
    model.compile(Adam(5e-3), "mse")
    normal, odd = waves(600), waves(100)
    odd[:, 6:10] = rng.uniform(-1, 1, (100, 4, 1))
    model.fit(normal[:500], normal[:500], batch_size=50, epochs=30, verbose=0)
    usual, strange = (np.mean((model.predict(x, verbose=0) - x) ** 2, (1, 2)) for x in (normal[500:], odd))
    assert np.mean(strange[:, None] > usual) > 0.95  # the area under the ROC curve
