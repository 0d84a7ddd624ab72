"""Flower for real: a SuperLink, SuperNodes and a ServerApp as processes, a chain beneath, and nothing simulated.

The long ones run with FLOWER=full. (The short one that has all of it is tests/network.)
"""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.flower import tiny
from tests.flower.network import BIN, ROOT, flower_network, flower_simulation, is_installed
from tests.flower.scene import PASSPHRASE, open_scene

pytestmark = pytest.mark.skipif(
    not is_installed(), reason=f"Flower has an environment of its own, and {BIN} is missing: scripts/setup/flower.sh"
)
long = pytest.mark.skipif(os.environ.get("FLOWER") != "full", reason="takes minutes; FLOWER=full runs it")


def played_in_one_process(folder: Path, clients: int, epochs: int) -> list[bytes]:
    """The headers of the same job with the same seed, without Flower."""
    with open_scene(folder / "local", epochs=epochs, **tiny.stage(clients)) as scene:
        scene.play_locally([tiny.TinyTrainer(number) for number in range(clients)], tiny.evaluate, epochs)
        return scene.headers()


def test_the_mod_and_the_engine_hold_inside_flowers_own_environment():
    """Those tests import flwr, which the environment of this one cannot have."""
    command = [str(BIN / "python"), "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/flower/inside"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert ended.returncode == 0, ended.stdout[-6000:] + ended.stderr[-2000:]
    assert " passed" in ended.stdout
    assert "skipped" not in ended.stdout


@long
def test_an_epochs_header_is_that_of_the_engine_in_one_process_and_no_secret_is_said(tmp_path):
    expected = played_in_one_process(tmp_path, 4, 1)
    with open_scene(tmp_path / "flower", epochs=1, **tiny.stage(4)) as scene:
        settings = {number: scene.client_settings(number) for number in range(4)}
        with flower_network(tmp_path / "network", settings) as network:
            network.run(tiny.APP, aggregator=str(scene.aggregator_settings))
        assert len(expected) == 1
        assert scene.headers() == expected
        said = "".join(path.read_text(errors="replace") for path in (tmp_path / "network").glob("*.log"))
        keys = [signer._account.key.hex() for signer in (*scene.clients, scene.node.signer(2))]
        secrets = [scene.secret(number).hex() for number in range(4)]
        assert "FedBlocks: epoch 1 is posted" in said
        assert said.count("FedBlocks: revealed epoch 1") == 4
        assert not [secret for secret in (PASSPHRASE, *keys, *secrets) if secret.removeprefix("0x") in said]


@long
def test_flowers_simulation_engine_gives_the_same_headers(tmp_path):
    expected = played_in_one_process(tmp_path, 4, 2)
    with open_scene(tmp_path / "flower", epochs=2, **tiny.stage(4)) as scene:
        with flower_simulation(tmp_path / "network", scene.clients_folder) as network:
            network.run(tiny.APP, simulate=4, aggregator=str(scene.aggregator_settings))
        assert scene.headers() == expected


@long
def test_eight_nodes_one_killed_in_training_and_restarted_give_the_same_headers(tmp_path):
    expected = played_in_one_process(tmp_path, 8, 2)
    stall = tmp_path / "stall"
    stall.mkdir()
    (stall / "5-2").touch()
    with open_scene(tmp_path / "flower", epochs=2, **tiny.stage(8)) as scene:
        settings = {number: scene.client_settings(number) for number in range(8)}
        with flower_network(tmp_path / "network", settings, {"TINYAPP_STALL": str(stall)}) as network:
            run = network.begin(tiny.APP, aggregator=str(scene.aggregator_settings), nodes=8, timeout=400)
            wait_for(stall / "5-2.begun")
            network.kill_node(5)
            network.start_node(5, settings[5], 8)
            network.finish(run, 600)
        assert scene.headers() == expected


@long
def test_a_node_killed_in_training_is_absent_from_the_epoch_and_keeps_its_stake(tmp_path):
    stall = tmp_path / "stall"
    stall.mkdir()
    (stall / "1-1").touch()
    with open_scene(tmp_path / "flower", epochs=2, **tiny.stage(5)) as scene:
        settings = {number: scene.client_settings(number) for number in range(5)}
        with flower_network(tmp_path / "network", settings, {"TINYAPP_STALL": str(stall)}) as network:
            run = network.begin(tiny.APP, aggregator=str(scene.aggregator_settings), nodes=4, timeout=400)
            wait_for(stall / "1-1.begun")
            network.kill_node(1)
            said = network.finish(run, 600)
        first, second = scene.stored_headers()
        seat = scene.job.context.seat_of(scene.clients[1].address)
        everybody = (1 << 5) - 1
        assert first.participants == second.participants == everybody & ~(1 << seat)
        assert first.slash_reasons == second.slash_reasons == 0
        assert f"{scene.clients[1].address} is absent from epoch 1" in said
        assert [header.hash() for header in (first, second)] == scene.headers()


@long
def test_a_run_goes_on_where_the_one_before_it_ended(tmp_path):
    expected = played_in_one_process(tmp_path, 4, 3)
    with open_scene(tmp_path / "flower", epochs=3, **tiny.stage(4)) as scene:
        settings = {number: scene.client_settings(number) for number in range(4)}
        with flower_network(tmp_path / "network", settings) as network:
            aggregator = str(scene.aggregator_settings)
            network.run(tiny.APP, aggregator=aggregator, num_server_rounds=1)
            assert scene.headers() == expected[:1]
            network.run(tiny.APP, aggregator=aggregator, num_server_rounds=3)
        assert scene.headers() == expected


def wait_for(path: Path, seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.1)
