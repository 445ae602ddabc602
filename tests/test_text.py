"""Decoders over any step function, and batches of sequences."""

import itertools

import numpy as np
import pytest

from fastnn import text, utils
from fastnn.testing import covering, missing_pairs

VOCABULARY, START, END = 4, 0, 3


def table_model(rng, depth):
    """A step function whose probabilities depend on all tokens so far, and the same as a function of a sequence."""
    table = {}

    def logits(prefix):
        if prefix not in table:
            table[prefix] = rng.standard_normal(VOCABULARY)
        return table[prefix]

    def step(tokens, state):
        return np.array([logits(tuple(row)) for row in tokens.tolist()]), state

    def log_p(sequence):
        total, prefix = 0.0, (START,)
        for token in sequence:
            x = logits(prefix)
            total += x[token] - np.log(np.exp(x).sum())
            prefix = (*prefix, token)
        return total

    return step, log_p


def every_sequence(depth):
    """All sequences that end with END, or have `depth` tokens, as they are scored."""
    others = [token for token in range(VOCABULARY) if token != END]
    for length in range(depth + 1):
        for body in itertools.product(others, repeat=length):
            yield body if length == depth else (*body, END)


@pytest.mark.parametrize("length_penalty", [0.0, 0.7, 1.0])
def test_a_beam_of_full_width_is_an_exhaustive_search(rng, length_penalty):
    step, log_p = table_model(rng, 3)
    ranked = sorted(every_sequence(3), key=lambda s: -log_p(s) / len(s) ** length_penalty)
    found = text.beam_search(step, START, END, 3, width=VOCABULARY**3, length_penalty=length_penalty)
    assert len(found) == len(ranked)
    for (tokens, score), expected in zip(found, ranked, strict=True):
        assert tokens == [token for token in expected if token != END]
        assert score == pytest.approx(log_p(expected) / len(expected) ** length_penalty)


def test_a_beam_of_one_is_greedy_and_wider_ones_find_no_less(rng):
    for _ in range(20):
        step, _ = table_model(rng, 5)
        (greedy,) = text.beam_search(step, START, END, 5, width=1)
        assert greedy[0] == text.greedy_search(step, START, END, 5)
        scores = [text.beam_search(step, START, END, 5, width=w)[0][1] for w in (1, 4**5)]
        assert scores[0] <= scores[1] + 1e-12


def test_four_prefixes_grow_to_sixteen_of_which_four_are_kept(rng):
    step, log_p = table_model(rng, 2)
    ranked = sorted(itertools.product(range(VOCABULARY), repeat=2), key=lambda s: -log_p(s))
    found = text.beam_search(step, START, None, 2, width=4)  # 4 tokens: all 16 pairs are compared
    assert [tuple(tokens) for tokens, _ in found] == ranked[:4]


def test_state_follows_its_prefix(rng):
    """A counter of tokens as state: it must be that of the prefix, however the beams are sorted."""
    step, _ = table_model(rng, 4)

    def counting(tokens, state):
        counts, nested = state
        assert counts.tolist() == [tokens.shape[1] - 1] * len(tokens)
        np.testing.assert_array_equal(nested["last"][0][:, 0], tokens[:, -1] if tokens.shape[1] == 1 else tokens[:, -2])
        return step(tokens, None)[0], (counts + 1, {"last": [tokens[:, -1:].copy()]})

    start = (np.zeros(1, int), {"last": [np.full((1, 1), START)]})
    with_state = text.beam_search(counting, START, END, 4, width=3, state=start)
    assert with_state == text.beam_search(step, START, END, 4, width=3)
    assert text.greedy_search(counting, START, END, 4, state=start) == text.greedy_search(step, START, END, 4)


def by_tokens_and_by_state(rng):
    """Two step functions of one model: by all tokens, and by a state and the last token alone."""
    known = {}

    def logits(keys):
        return np.array([known.setdefault(int(key), 2 * rng.standard_normal(VOCABULARY)) for key in keys])

    def by_state(tokens, state):
        keys = (VOCABULARY + 1) * state + tokens[:, -1] + 1
        return logits(keys), keys

    def by_tokens(tokens, state):
        keys = np.zeros(len(tokens), int)
        for at in range(tokens.shape[1]):
            _, keys = by_state(tokens[:, : at + 1], keys)
        return logits(keys), None

    return by_tokens, by_state


@pytest.mark.parametrize(
    "decode",
    [
        *(
            lambda step, width=width, **state: text.beam_search(step, START, END, 6, width, 0.7, **state)
            for width in (1, 2, 3, 9)
        ),
        lambda step, **state: text.greedy_search(step, START, None, 6, **state),
        lambda step, **state: [text.sample(step, START, END, 6, seed=seed, **state) for seed in range(9)],
        lambda step, **state: text.log_probability(step, START, [2, 1, 0, 1, 3], **state),
    ],
)
def test_a_state_stands_for_all_tokens_before(rng, decode):
    for _ in range(5):
        by_tokens, by_state = by_tokens_and_by_state(rng)
        assert decode(by_state, state=np.zeros(1, int)) == decode(by_tokens)


def plain_beams(log_p, depth, width, penalty):
    """To the end, however good what has ended already may be."""
    prefixes, ended = [()], []
    for length in range(1, depth + 1):
        grown = sorted(((*p, token) for p in prefixes for token in range(VOCABULARY)), key=log_p)[::-1][:width]
        prefixes = [p for p in grown if p[-1] != END]
        ended += [(log_p(p) / length**penalty, p[:-1]) for p in grown if p[-1] == END]
    ended += [(log_p(p) / depth**penalty, p) for p in prefixes]
    return sorted(ended, reverse=True)[:width]


@pytest.mark.parametrize("penalty", [0.0, 0.7, 1.0, 1.5])
@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_a_beam_stops_only_when_nothing_better_can_come(rng, width, penalty):
    for _ in range(6):
        step, log_p = table_model(rng, 6)
        found = text.beam_search(step, START, END, 6, width, penalty)
        expected = plain_beams(log_p, 6, width, penalty)
        assert [tuple(tokens) for tokens, _ in found] == [tokens for _, tokens in expected]
        np.testing.assert_allclose([score for _, score in found], [score for score, _ in expected])


def test_rejected_tokens_never_come(rng):
    step, _ = table_model(rng, 4)
    assert all(2 not in tokens for tokens, _ in text.beam_search(step, START, END, 4, width=9, rejected=[2]))
    assert 1 not in text.greedy_search(step, START, END, 9, rejected=[1])
    assert all(1 not in text.sample(step, START, END, 9, rejected=[1], seed=s) for s in range(20))


def test_the_log_probability_of_a_sequence_is_the_sum_of_its_steps(rng):
    step, log_p = table_model(rng, 4)
    for sequence in ([], [1], [2, 1, 1, 3]):
        assert text.log_probability(step, START, sequence) == pytest.approx(log_p(sequence))


def test_filters_leave_the_most_probable_tokens():
    p = np.array([0.1, 0.4, 0.2, 0.3])
    logs = np.log(p)
    np.testing.assert_allclose(text.filtered(logs), p)
    np.testing.assert_allclose(text.filtered(logs, top_k=2), [0, 4 / 7, 0, 3 / 7])
    np.testing.assert_allclose(text.filtered(logs, top_p=0.7), [0, 4 / 7, 0, 3 / 7])
    np.testing.assert_allclose(text.filtered(logs, top_p=0.71), [0, 4 / 9, 2 / 9, 3 / 9])
    np.testing.assert_allclose(text.filtered(logs, temperature=0.5), p**2 / np.sum(p**2))
    np.testing.assert_allclose(text.filtered(logs, temperature=0), [0, 1, 0, 0])
    np.testing.assert_allclose(text.filtered(logs, rejected=[1], top_k=1), [0, 0, 0, 1])
    with pytest.raises(ValueError, match=r"\[filtered\] expected temperature >= 0, top_k >= 1, 0 < top_p <= 1"):
        text.filtered(logs, top_p=0)


FILTERS = {
    "vocabulary": [17, 2, 33, 1],
    "temperature": [1.0, 0.0, 0.5, 2.0],
    "top_k": [None, 1, 3, 100],
    "top_p": [None, 0.3, 0.9, 1.0],
    "rejected": ["none", "the best", "all but one"],
    "never": [False, True],
    "equal": [False, True],
}
FILTER_CASES = covering(**FILTERS)


def kept(p, temperature, top_k, top_p):
    """What is left of the probabilities of a dict token -> probability: tokens are taken, the best first."""
    p = {token: one ** (1 / (temperature or 1)) for token, one in p.items() if one > 0}
    best = sorted(p, key=lambda token: (-p[token], token))[: 1 if temperature == 0 else top_k]
    total, found = sum(p[token] for token in best), {}
    for token in best:
        if top_p is not None and sum(found.values()) >= top_p * total * (1 - 1e-12):
            break
        found[token] = p[token]
    return {token: one / sum(found.values()) for token, one in found.items()}


def test_the_sample_of_filters_holds_every_pair_of_values():
    assert not missing_pairs(FILTERS, FILTER_CASES)


@pytest.mark.parametrize("case", FILTER_CASES, ids=lambda case: "-".join(map(str, case.values())))
def test_filters_together_leave_what_is_taken_token_by_token(rng, case):
    vocabulary, *settings = (case[name] for name in ("vocabulary", "temperature", "top_k", "top_p"))
    logs = np.zeros(vocabulary) if case["equal"] else rng.standard_normal(vocabulary)
    if case["never"] and vocabulary > 1:
        logs[rng.integers(vocabulary)] = -np.inf
    ranked = np.argsort(-logs, kind="stable").tolist()
    rejected = {"none": [], "the best": ranked[:1], "all but one": ranked[1:]}[case["rejected"]]
    expected = kept({t: np.exp(logs[t]) for t in range(vocabulary) if t not in rejected}, *settings)
    if not expected:
        with pytest.raises(ValueError, match=r"\[filtered\] expected log_probs \(vocabulary,\) with a token that may"):
            text.filtered(logs, *settings, rejected)
        return
    p = text.filtered(logs, *settings, rejected)
    np.testing.assert_allclose(p, [expected.get(token, 0) for token in range(vocabulary)], rtol=1e-10)
    step = lambda tokens, state: (logs[None], state)  # noqa: E731
    drawn = text.sample(step, 0, None, 30, *settings, rejected, seed=1)
    assert len(drawn) == 30 and set(drawn) <= set(expected)


def test_nothing_is_drawn_where_no_token_may_come():
    nan, none = np.array([np.nan, 0.0]), np.full(3, -np.inf)
    for logs in (nan, none, np.zeros(0), np.zeros((2, 3))):
        with pytest.raises(ValueError, match=r"\[filtered\] expected log_probs"):
            text.filtered(logs)
    step = lambda tokens, state: (np.zeros((1, 2)), state)  # noqa: E731
    with pytest.raises(ValueError, match=r"\[greedy_search\] expected a token that may come, got none"):
        text.greedy_search(step, 0, None, 3, rejected=[0, 1])
    assert text.beam_search(step, 0, None, 3, rejected=[0, 1]) == []


def test_samples_come_as_often_as_the_model_says(rng):
    p = np.array([0.1, 0.5, 0.15, 0.25])
    step = lambda tokens, state: (np.log(p)[None].repeat(len(tokens), 0), state)  # noqa: E731
    seed = utils.set_random_seed(3) or None
    drawn = np.concatenate([text.sample(step, START, None, 50, seed=seed) for _ in range(60)])
    counts = np.bincount(drawn, minlength=4)
    assert np.abs(counts / len(drawn) - p).max() < 5 * np.sqrt(0.25 / len(drawn))
    lengths = [len(text.sample(step, START, END, 1000)) for _ in range(300)]
    assert abs(np.mean(lengths) - 3) < 5 * np.sqrt(12 / 300)  # geometric: mean 0.75 / 0.25, variance 0.75 / 0.25^2
    assert text.sample(step, START, END, 20, seed=4) == text.sample(step, START, END, 20, seed=4)


def test_sequences_are_padded_and_cut():
    sequences = [[1, 2, 3], [4], []]
    np.testing.assert_array_equal(utils.pad_sequences(sequences), [[1, 2, 3], [0, 0, 4], [0, 0, 0]])
    np.testing.assert_array_equal(utils.pad_sequences(sequences, 2, padding="post", value=9), [[2, 3], [4, 9], [9, 9]])
    np.testing.assert_array_equal(utils.pad_sequences(sequences, 2, truncating="post"), [[1, 2], [0, 4], [0, 0]])
    frames = utils.pad_sequences([np.ones((2, 3)), np.ones((1, 3))], dtype="float32", padding="post")
    assert frames.dtype == np.float32 and frames[1, 0].all() and not frames[1, 1].any()
    assert utils.pad_sequences([]).shape == (0, 0)
    with pytest.raises(ValueError, match=r"\[pad_sequences\] expected padding 'pre' or 'post', got 'both'"):
        utils.pad_sequences(sequences, padding="both")
    with pytest.raises(ValueError, match=r"\[pad_sequences\] expected steps of one shape"):
        utils.pad_sequences([np.ones((2, 3)), np.ones((1, 2))])


def test_a_teacher_gives_the_true_token_before():
    given, wanted = text.teacher_forcing(np.array([[5, 6, 7], [8, 9, 0]]), start=1)
    np.testing.assert_array_equal(given, [[1, 5, 6], [1, 8, 9]])
    np.testing.assert_array_equal(wanted, [[5, 6, 7], [8, 9, 0]])
    with pytest.raises(ValueError, match=r"\[teacher_forcing\] expected targets \(n, t\), got \(3,\)"):
        text.teacher_forcing(np.zeros(3), 1)


@pytest.mark.parametrize(("width", "message"), [(0, r"\[beam_search\] expected width >= 1"), (2, "of a step, got")])
def test_what_makes_no_sense_is_refused(width, message):
    with pytest.raises(ValueError, match=message):
        text.beam_search(lambda tokens, state: (np.zeros(3), state), START, END, 3, width=width)
