"""Draw the pictures of docs/tui.md from the recorded run, as it is at its end: python -m tests.tui.draw_docs"""

from __future__ import annotations

from pathlib import Path

from fedblocks_tui.demo import RecordedFeed
from tests.tui.playing import Scene, make_app, play

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
PICTURES = {"clients": "2", "slash": "3 enter", "rollup": "5"}


def main() -> None:
    """Write one SVG a screen."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    app = make_app(RecordedFeed(seconds=0, interval=3600))

    async def scenario(scene: Scene) -> None:
        for name, keys in PICTURES.items():
            await scene.press(*keys.split())
            await scene.pilot.pause(0.5)
            await scene.settle()
            (IMAGES / f"tui-{name}.svg").write_text(app.export_screenshot())

    play(scenario, app=app, size=(120, 32))


if __name__ == "__main__":
    main()
