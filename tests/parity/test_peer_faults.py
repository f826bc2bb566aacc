"""Faults that were found in peers, and the test of audiopipe for each of them."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]

FAULTS = {
    # keras.layers.MelSpectrogram
    "top_db is relative to the maximum of the batch": (
        "parity/test_keras_peer.py",
        "test_a_loud_neighbour_does_not_change_a_quiet_clip",
    ),
    "one NaN clip makes every clip NaN": ("parity/test_keras_peer.py", "test_a_clip_of_nan_does_not_change_the_others"),
    "the declared shape is off by one": (
        "parity/test_keras_peer.py",
        "test_the_declared_shape_is_correct_for_every_length",
    ),
    "input of half a transform raises": (
        "parity/test_keras_peer.py",
        "test_a_clip_of_at_most_half_a_transform_is_accepted",
    ),
    "a float64 policy raises": ("parity/test_keras_peer.py", "test_a_float64_policy_computes_in_float64"),
    "NaN gradients at silence": ("parity/test_keras_peer.py", "test_gradients_of_magnitudes_are_finite_at_silence"),
    "an array window does not survive saving": (
        "parity/test_keras_peer.py",
        "test_a_window_given_as_an_array_survives_saving",
    ),
    "the mel matrix is rebuilt in every call": (
        "parity/test_keras_peer.py",
        "test_the_mel_matrix_is_computed_once_in_float64",
    ),
    # Kapre
    "half-precision policies raise": (
        "layers/test_harness.py",
        "test_half_precision_policies_cast_the_result_and_nothing_before_it",
    ),
    "double-precision policies raise": ("layers/test_harness.py", "test_a_float64_policy_computes_in_float64"),
    "Phase has NaN gradients at silence": ("layers/test_phase.py", "test_phase_and_gradient_are_zero_at_silence"),
    "input of rank 2 gives nonsense": (
        "layers/test_stft.py",
        "test_any_rank_but_three_is_refused_with_the_layout",
    ),
    "512 with a hop of 512 reconstructs wrongly": (
        "composed/test_stfts.py",
        "test_a_hop_that_kapre_silently_reconstructs_wrongly_is_refused",
    ),
    "mag_phase concatenates along frequency": (
        "composed/test_stfts.py",
        "test_parts_are_concatenated_along_the_channels_with_channels_first",
    ),
    "Delta raises with more than one channel": (
        "layers/test_delta.py",
        "test_delta_equals_a_loop_in_numpy_for_any_number_of_channels",
    ),
    "ChannelSwap draws one permutation": (
        "layers/test_channel_swap.py",
        "test_in_a_graph_every_call_draws_another_order_unlike_kapre",
    ),
    "odd n_fft gives a wrong filterbank": (
        "composed/test_spectrograms.py",
        "test_bands_of_an_odd_transform_length_match_its_bins",
    ),
    "win_length beyond n_fft truncates": ("signal/test_framing.py", "test_invalid_sizes_are_refused"),
    "mu-law does not clip": ("layers/test_mu_law.py", "test_samples_beyond_full_scale_are_clipped_unlike_kapre"),
    "TFLite crashes for two channels": ("export/test_tflite.py", "test_a_converted_feature_agrees_with_the_layer"),
    "plain layers do not convert": ("export/test_tflite.py", "test_a_whole_model_converts_with_its_weights"),
    "group convolution by the wrong argument": (
        "composed/test_frequency_aware.py",
        "test_group_convolution_is_refused_by_name_and_by_position_unlike_kapre",
    ),
    # DDSP, seqio, lhotse, basic-pitch
    "ids come from a salted hash": ("inputs/test_scanning.py", "test_a_folder_is_walked_in_the_order_of_its_paths"),
    "offline padding is not online padding": ("parity/test_doors.py", "test_precomputed_features_equal_the_layer"),
    "a cache is found by its name alone": (
        "feature_sets/test_records.py",
        "test_another_config_is_refused_and_the_differences_are_listed",
    ),
    "stored features carry no config": (
        "feature_sets/test_feature_set.py",
        "test_dataset_json_has_every_field",
    ),
    "a second run duplicates data": ("doors/test_beam.py", "test_a_second_run_writes_the_same_bytes"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_of_a_peer_has_a_test(fault):
    file, name = FAULTS[fault]
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
