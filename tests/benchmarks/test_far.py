"""The strangers that bundles are judged on."""

from benchmarks.far import FRAMES, strangers
from pipeline.inference.card import Sampling


def test_there_are_strangers_of_every_kind_in_the_size_of_the_sampling(shared):
    sampling = Sampling(fps=8, max_frames=64, width=32, height=24, jpeg_quality=90)
    found = list(strangers(shared, sampling))
    kinds = {
        kind: [each for each in found if each.kind == kind] for kind in {s.kind for s in found}
    }
    assert set(kinds) == {"videos", "stills", "drawn", "noise", "plain"}
    assert min(len(each) for each in kinds.values()) >= 3
    assert {step["rgb"].pixels.shape for each in found for step in each.steps} == {(24, 32, 3)}
    assert {len(each.steps) for each in found if each.kind in ("stills", "noise")} == {FRAMES}
