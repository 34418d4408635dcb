"""`gatehouse plant`: labels in a picture of any format, which is shown as before."""

import io
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from demo.synthesis import ROOT
from lambdas.renderer.decoder import Decoder
from localcloud import plant
from localcloud.patches import rendered_plants
from localcloud.rekognition.images import MOST_BYTES_OF_AN_OBJECT, open_image
from localcloud.rekognition.planted_labels import METADATA_KEY, VERSION, find, parse

WEAPONS = f'{VERSION} {{"ModerationLabels": [{{"Name": "Weapons", "Confidence": 96.0}}], "ContentTypes": []}}'
DRAWN_HEIC = ROOT / "tests" / "unit" / "lambdas" / "pictures" / "drawn.heic"


def picture(path: Path, image_format: str) -> Path:
    """A picture of some frames, if the format has them."""
    if image_format == "HEIC":
        path.write_bytes(DRAWN_HEIC.read_bytes())
        return path
    file = io.BytesIO()
    frames = [Image.new("RGB", (90, 100), (40 * n, 3, 9)) for n in range(3)]
    options = {} if image_format in ("JPEG", "BMP") else {"save_all": True, "append_images": frames[1:]}
    frames[0].save(file, image_format, **options)
    path.write_bytes(file.getvalue())
    return path


@pytest.mark.parametrize("image_format", ["WEBP", "AVIF", "HEIC", "GIF", "TIFF", "BMP", "PNG", "JPEG"])
def test_a_picture_of_any_format_takes_a_plant_that_shows_in_nothing(tmp_path: Path, image_format: str) -> None:
    decoder = Decoder(heic=True)
    decoder.prepare()
    path = picture(tmp_path / "photo.bin", image_format)
    before = path.read_bytes()

    assert plant.main([str(path), "Smoking=50", "Drugs & Tobacco=60"]) == 0
    assert plant.main([str(path), "Weapons=96"]) == 0

    after = path.read_bytes()
    assert rendered_plants.plant_in({}, after, 0) == WEAPONS
    assert b"Smoking" not in after
    assert decoder.describe(after, 8) == decoder.describe(before, 8)


def test_another_file_and_content_types(tmp_path: Path) -> None:
    path = picture(tmp_path / "photo.jpg", "JPEG")
    before, planted = path.read_bytes(), tmp_path / "planted.jpg"

    words = [str(path), "Explosions and Blasts=92.6", "--content-type", "Illustrated=93.9", "--out", str(planted)]
    assert plant.main(words) == 0

    found = find(open_image(planted.read_bytes(), MOST_BYTES_OF_AN_OBJECT))
    assert [(label.name, label.confidence) for label in found.labels] == [("Explosions and Blasts", 92.6)]
    assert [(kind.name, kind.confidence) for kind in found.content_types] == [("Illustrated", 93.9)]
    assert path.read_bytes() == before


def test_a_text_for_the_metadata(capsys: pytest.CaptureFixture[str]) -> None:
    assert plant.main(["--metadata", "Weapons=96"]) == 0

    key, _, text = capsys.readouterr().out.rstrip("\n").partition("=")
    assert key == METADATA_KEY
    assert [label.name for label in parse(text).labels] == ["Weapons"]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("Weapon=96", "'Weapon' is not a label of taxonomy 7.0; did you mean 'Weapons'?"),
        ("Weapons", "'Weapons' is not a name, = and a confidence from 0 to 100, such as Weapons=96"),
        ("Weapons=many", "'Weapons=many' is not a name, = and a confidence from 0 to 100, such as Weapons=96"),
        ("Weapons=101", "these labels can't be planted: the Confidence of 'Weapons' is 101.0, not a number"),
        ("Weapons=nan", "these labels can't be planted: NaN is not JSON"),
    ],
)
def test_what_is_wrong_with_a_label_is_said_and_the_picture_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    path = picture(tmp_path / "photo.gif", "GIF")
    before = path.read_bytes()

    assert plant.main([str(path), word]) == 1

    assert said in capsys.readouterr().err
    assert path.read_bytes() == before


def test_what_is_no_picture_takes_no_plant(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "notes.txt").write_text("no picture")

    assert plant.main([str(tmp_path / "notes.txt"), "Weapons=96"]) == 1
    assert plant.main([str(tmp_path / "missing.gif"), "Weapons=96"]) == 1

    errors = capsys.readouterr().err.splitlines()
    assert "in a JPEG, PNG, WebP, AVIF, HEIC, GIF, TIFF or BMP only" in errors[0]
    assert "missing.gif: No such file" in errors[1]


def test_the_checkouts_command_has_it(tmp_path: Path) -> None:
    path = picture(tmp_path / "photo.webp", "WEBP")

    subprocess.run([ROOT / "gatehouse", "plant", path, "Weapons=96"], check=True, cwd=tmp_path)

    assert rendered_plants.plant_in({}, path.read_bytes(), 0) == WEAPONS
