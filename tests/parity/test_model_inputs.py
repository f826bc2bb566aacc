"""Models of `transformers` accept the features of their presets, whose shapes and dtypes they check themselves.

The models are small and have random weights. `make test-torch` runs these tests. They are skipped where torch is not
installed.
"""

import sys

import datasets
import numpy as np
import pytest

from audiopipe import Transform, hf

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = pytest.mark.usefixtures("quiet_bars")

SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}


@pytest.fixture(autouse=True)
def without_triton(monkeypatch):
    """Torch imports triton with the models, where it is installed. After TensorFlow, that import ends the process."""
    monkeypatch.setitem(sys.modules, "triton", None)


@pytest.fixture
def rows():
    """Returns a function that maps a preset over two clips, in the format of torch."""

    def mapped(preset):
        noise = np.random.default_rng(0)
        values = [{"array": 0.1 * noise.standard_normal(size), "sampling_rate": 16000} for size in (16000, 12345)]
        made = hf.map(datasets.Dataset.from_dict({"audio": values}), Transform(preset), keep_in_memory=True)
        return made.with_format("torch")

    return mapped


def test_the_torch_model_of_ast_accepts_its_features(rows):
    model = transformers.ASTModel(transformers.ASTConfig(**SMALL)).eval()
    batch = rows("ast")[:]["feature"]
    assert (batch.shape, batch.dtype) == ((2, 1024, 128), torch.float32)
    with torch.no_grad():
        hidden = model(input_values=batch).last_hidden_state
    patches = (1024 - 16) // 10 + 1, (128 - 16) // 10 + 1
    assert hidden.shape == (2, patches[0] * patches[1] + 2, 16)  # the class and the distillation token come first
    assert torch.isfinite(hidden).all()


@pytest.mark.parametrize(("preset", "n_mels"), [("whisper-80", 80), ("whisper-128", 128)])
def test_the_torch_model_of_whisper_accepts_its_features(rows, preset, n_mels):
    layers = {f"{part}_{name}": size for part in ("encoder", "decoder")
              for name, size in (("layers", 1), ("attention_heads", 2), ("ffn_dim", 16))}  # fmt: skip
    config = transformers.WhisperConfig(vocab_size=60000, d_model=16, num_mel_bins=n_mels, **layers)
    model = transformers.WhisperModel(config).eval()
    batch = rows(preset)[:]["feature"].transpose(1, 2)
    assert (batch.shape, batch.dtype) == ((2, n_mels, 3000), torch.float32)
    with torch.no_grad():
        found = model(input_features=batch, decoder_input_ids=torch.tensor([[1], [1]]))
    assert found.encoder_last_hidden_state.shape == (2, 1500, 16)
    assert torch.isfinite(found.last_hidden_state).all()


def test_the_torch_model_of_wav2vec2_bert_ignores_what_pads_a_clip(rows):
    config = transformers.Wav2Vec2BertConfig(**SMALL, feature_projection_input_dim=160, add_adapter=False)
    model = transformers.Wav2Vec2BertModel(config).eval()
    made = rows("w2v-bert")
    features = [row["feature"] for row in made]
    valid = made["valid_frames"][:]
    batch = torch.nn.utils.rnn.pad_sequence(features, batch_first=True, padding_value=1.0)
    mask = torch.arange(batch.shape[1])[None] < torch.as_tensor(valid)[:, None]
    with torch.no_grad():
        together = model(input_features=batch, attention_mask=mask.long()).last_hidden_state
        alone = model(input_features=features[1][None], attention_mask=mask[1:, : len(features[1])].long())
    count = int(valid[1])
    torch.testing.assert_close(together[1, :count], alone.last_hidden_state[0, :count], rtol=0, atol=1e-4)
