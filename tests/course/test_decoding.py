"""Embeddings, attention, language models and their decoding, CTC, Transformers, as a course gives them."""

import itertools

import numpy as np
import pytest

from fastnn import layers, ops, text
from fastnn.autograd import raw
from fastnn.layers import Embedding
from fastnn.testing import gradcheck

#: man, woman, king, queen, apple, orange by gender, royalty, age and food, as the notes print them; with the signs that
#: they leave out, as man and king have gender -1.
PRINTED = np.array(
    [
        [1.0, 0.01, 0.03, 0.09],
        [1.0, 0.02, 0.02, 0.01],
        [0.95, 0.93, 0.70, 0.02],
        [0.97, 0.95, 0.69, 0.01],
        [0.0, -0.01, 0.03, 0.95],
        [0.01, 0.0, -0.02, 0.97],
    ]
)
WORDS = ["man", "woman", "king", "queen", "apple", "orange"]


def analogy(vectors, a, b, c):
    """The word that is to c as b is to a: by cosine similarity, the three left out."""
    index = {word: i for i, word in enumerate(WORDS)}
    target = vectors[index[b]] - vectors[index[a]] + vectors[index[c]]
    cosine = vectors @ target / (np.linalg.norm(vectors, axis=1) * np.linalg.norm(target))
    return max((w for w in WORDS if w not in (a, b, c)), key=lambda w: cosine[index[w]])


def test_man_is_to_woman_as_king_to_queen():
    layer = Embedding(6, 4, weights=PRINTED)
    signed = PRINTED * np.where(np.arange(6)[:, None] % 2 == 0, [-1, 1, 1, 1], 1)
    assert analogy(raw(layer.embeddings), "man", "woman", "king") == "queen"
    assert analogy(signed, "man", "woman", "king") == "queen"


def test_the_embedding_matrix_times_a_one_hot_vector_is_a_row_of_the_layer(rng):
    layer = Embedding(10000, 300)
    layer.build()
    o_man = np.zeros(10000, np.float32)
    o_man[5391] = 1
    e = raw(layer.embeddings).T  # the notes write it as (300, 10000)
    np.testing.assert_allclose(layer(np.array([5391]))[0], e @ o_man, rtol=1e-6)


def test_positions_of_the_notes_count_from_one():
    vocabulary = {"Conquered": 329, "Install": 4521, "Rama": 7689, "Ravana": 7900, "ZZZ": 10000}
    y = ops.one_hot(np.array([place - 1 for place in vocabulary.values()]), 10000)
    assert y.shape == (5, 10000) and [int(row.argmax()) + 1 for row in y] == list(vocabulary.values())


def test_the_mean_of_embeddings_is_the_course_s_first_model_of_sentiment(rng):
    """Words in any order give one answer: what it cannot see is 'not good' against 'good, not'."""
    layer, mean = Embedding(50, 8, mask_zero=True), layers.GlobalAveragePooling1D()
    sentence = rng.integers(1, 50, (1, 9))
    backwards = sentence[:, ::-1].copy()
    np.testing.assert_allclose(mean(layer(sentence)), mean(layer(backwards)), rtol=1e-5, atol=1e-7)
    padded = np.concatenate([sentence, np.zeros((1, 4), int)], axis=1)
    np.testing.assert_allclose(mean(layer(padded)), mean(layer(sentence)), rtol=1e-5, atol=1e-7)


def test_attention_weights_sum_to_one_and_the_context_is_their_mean_of_states(rng):
    s, h = rng.standard_normal((2, 1, 6)).astype(np.float32), rng.standard_normal((2, 9, 6)).astype(np.float32)
    layer = layers.AdditiveAttention()
    c, alpha = layer([s, h], return_attention_scores=True)
    np.testing.assert_allclose(alpha.sum(-1), np.ones((2, 1)), rtol=1e-6)
    e = np.sum(raw(layer.scale) * np.tanh(s[:, :, None] + h[:, None]), axis=-1)
    np.testing.assert_allclose(alpha, np.exp(e) / np.exp(e).sum(-1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(c[:, 0], np.sum(alpha[:, 0, :, None] * h, axis=1), rtol=1e-5, atol=1e-6)


def test_bahdanau_s_scores_come_from_a_small_net_that_is_trained_along(rng):
    """12.10: e_ij = a(s_(i-1), h_j) = v^T tanh(W s_(i-1) + U h_j), alpha its softmax over j, c_i = sum alpha_ij h_j."""
    given = [rng.standard_normal(shape) for shape in ((2, 3, 4), (2, 5, 6), (4, 7), (6, 7), (7,))]

    def context(s, h, w, u, v):
        alpha = ops.softmax(ops.additive_scores(ops.matmul(s, w), ops.matmul(h, u), v))
        return ops.matmul(alpha, h)

    s, h, w, u, v = given
    e = np.tanh((s @ w)[:, :, None] + (h @ u)[:, None]) @ v
    alpha = np.exp(e) / np.exp(e).sum(-1, keepdims=True)
    np.testing.assert_allclose(context(*given), np.einsum("nij,njd->nid", alpha, h), rtol=1e-10)
    assert gradcheck(context, *given)
    layer = layers.AdditiveAttention(dtype="float64")
    layer.build([(2, 3, 7), (2, 5, 6), (2, 5, 7)])
    layer.set_weights([v])
    np.testing.assert_allclose(layer([s @ w, h, h @ u]), context(*given), rtol=1e-10)


def test_self_attention_of_a_transformer_is_softmax_of_q_k_over_the_root_of_d_times_v(rng):
    q, k, v = (rng.standard_normal((1, 5, 1, 4)) for _ in range(3))
    scores = q[0, :, 0] @ k[0, :, 0].T / np.sqrt(4)
    weights = np.exp(scores) / np.exp(scores).sum(-1, keepdims=True)
    np.testing.assert_allclose(ops.dot_product_attention(q, k, v)[0, :, 0], weights @ v[0, :, 0], rtol=1e-10)


def test_gradients_of_a_transformer_are_those_of_differences(rng):
    """12.11: through the encoder, whose result the causal decoder attends to."""
    blocks = layers.TransformerEncoder, layers.TransformerDecoder
    encoder, decoder = (block(6, 2, dtype="float64") for block in blocks)
    source, target = rng.standard_normal((2, 3, 4)), rng.standard_normal((2, 3, 4))
    decoder(target, encoder(source))
    assert gradcheck(lambda source, target: decoder(target, encoder(source)), source, target)


# ---- language models and their decoding ----


@pytest.fixture
def language(rng):
    """A conditional model of 5 words: log-probabilities that depend on all words before."""
    known = {}

    def step(tokens, state):
        for row in map(tuple, tokens.tolist()):
            known.setdefault(row, np.log(rng.dirichlet(np.ones(5))))
        return np.array([known[tuple(row)] for row in tokens.tolist()]), state

    return step


def test_the_probability_of_a_translation_is_the_product_of_those_of_its_words(language):
    y = [2, 4, 1]
    factors = [language(np.array([[0, *y[:i]]]), None)[0][0, word] for i, word in enumerate(y)]
    assert text.log_probability(language, 0, y) == pytest.approx(sum(factors))


@pytest.mark.parametrize("end", [None, 1, 2, 3, 4])
def test_greedy_search_is_a_beam_of_one_and_takes_the_best_word_each_time(language, end):
    best = []
    while len(best) < 6:
        best.append(int(language(np.array([[0, *best]]), None)[0].argmax()))
        if best[-1] == end:
            best.pop()
            break
    assert text.greedy_search(language, 0, end, 6) == best
    assert text.beam_search(language, 0, end, 6, width=1)[0][0] == best


def test_four_beams_grow_to_sixteen_candidates_of_which_four_stay(language):
    """Taking the best 4 words after each of 4 prefixes first, 16 in all, finds the 4 best of all continuations."""
    first = np.argsort(-language(np.array([[0]]), None)[0][0])[:4]
    logs = {(int(w),): float(language(np.array([[0]]), None)[0][0, w]) for w in first}
    sixteen = {}
    for prefix, total in logs.items():
        after = language(np.array([[0, *prefix]]), None)[0][0]
        sixteen.update({(*prefix, int(w)): total + after[w] for w in np.argsort(-after)[:4]})
    assert len(sixteen) == 16
    kept = sorted(sixteen, key=sixteen.get, reverse=True)[:4]
    assert [tuple(tokens) for tokens, _ in text.beam_search(language, 0, None, 2, width=4)] == kept


def test_a_beam_as_wide_as_there_are_sequences_is_exhaustive(language):
    found = text.beam_search(language, 0, None, 3, width=5**3)
    best = max(itertools.product(range(5), repeat=3), key=lambda y: text.log_probability(language, 0, y))
    assert len(found) == 5**3 and tuple(found[0][0]) == best


def test_sampling_stops_at_the_end_and_never_draws_the_unknown_word(language):
    for seed in range(30):
        drawn = text.sample(language, 0, 4, 50, rejected=[3], seed=seed)
        assert 3 not in drawn and 4 not in drawn


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_words_are_drawn_as_often_as_the_temperature_says(temperature):
    """12.15: in proportion to p^(1 / temperature), without the unknown word, until <EOS>."""
    p, unknown, end, n = np.array([0.1, 0.4, 0.2, 0.05, 0.25]), 3, 4, 1500
    expected = np.where(np.arange(5) == unknown, 0, p ** (1 / temperature))
    expected /= expected.sum()

    def step(tokens, state):
        return np.log(p)[None], state

    options = {"temperature": temperature, "rejected": [unknown]}
    drawn = [text.sample(step, 0, end, 1000, **options, seed=seed) for seed in range(n)]
    words = np.concatenate([[*one, end] for one in drawn])
    share = np.bincount(words, minlength=5) / len(words)
    assert (np.abs(share - expected) <= 4 * np.sqrt(expected * (1 - expected) / len(words))).all()
    assert text.sample(step, 0, end, 1000, **options, seed=3) == drawn[3]


def test_ctc_collapses_repeated_letters_and_drops_blanks():
    assert "".join(ops.ctc_collapse("ttt_h_eee___ ___qqq__", "_")) == "the q"
    assert "".join(ops.ctc_collapse("ttt_h_eee_____ _qqqq _ _ _ _", "_")) == "the q    "  # as printed


def test_ctc_adds_up_every_way_to_write_the_target():
    """Two steps, letters a and b: 'a' can be written aa, a_ and _a."""
    p = np.array([[0.2, 0.5, 0.3], [0.1, 0.6, 0.3]])  # blank, a, b
    loss = ops.ctc_loss([[1]], np.log(p)[None], [1], [2])
    np.testing.assert_allclose(np.exp(-loss), [0.5 * 0.6 + 0.5 * 0.1 + 0.2 * 0.6], rtol=1e-12)
