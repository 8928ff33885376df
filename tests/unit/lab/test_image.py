"""The image's name stands for what is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from fournines.errors import LabError
from fournines.lab import image, state
from fournines.lab.kinds import KINDS
from fournines.lab.recipe import Recipe
from fournines.services import load

EXAMPLE = Path(__file__).parents[3] / "examples" / "three-controllers.yaml"


def silent(_: str) -> None:
    pass


def of(*packages: str) -> Recipe:
    return Recipe(packages)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for module in (image, state):
        monkeypatch.setattr(module, "IMAGES", tmp_path / "images")
    monkeypatch.setattr(state, "LABS", tmp_path / "labs")
    return tmp_path / "images"


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """Stands for mmdebstrap; what was built, in order."""
    built: list[tuple[str, ...]] = []

    def build(building: Path, recipe: Recipe, say: image.Say, mirror: str) -> None:
        names = tuple(sorted(recipe.packages))
        building.mkdir()
        built.append(names)
        if "broken" in names:
            raise LabError("The hosts' image could not be built")
        (building / "root").mkdir()

    monkeypatch.setattr(image, "_build", build)
    return built


def test_it_holds_what_the_services_want() -> None:
    wanted = image.packages(load(EXAMPLE), load(EXAMPLE).hosts)
    assert {"mariadb-server", "rabbitmq-server", "haproxy", "keepalived", "keystone", "memcached"} <= set(wanted)
    assert set(image.BASE) <= set(wanted)
    assert list(wanted) == sorted(set(wanted))


def test_the_name_follows_the_content() -> None:
    assert image.digest(of("a", "b")) == image.digest(of("b", "a"))
    assert image.digest(of("a", "b")) != image.digest(of("a"))


def test_a_virtual_machine_has_an_image_of_its_own_and_containers_keep_theirs() -> None:
    """A kernel and what makes a disk of it: clouds without virtual machines pay nothing for it."""
    plain, vm = KINDS["nspawn"].recipe(["a"]), KINDS["vm"].recipe(["a"])
    assert plain == of("a")
    assert "linux-image-cloud-amd64" in vm.packages and "a" in vm.packages
    assert [script.name for script in vm.scripts] == ["customize.sh", "customize_vm.sh"]
    other = Recipe(vm.packages)
    assert image.digest(vm) != image.digest(other), "the script that makes the initial RAM disk counts"


def test_built_once(images: Path, builds: list[tuple[str, ...]]) -> None:
    name = image.ensure(of("b", "a"), silent)
    assert image.ensure(of("a", "b"), silent) == name
    assert builds == [("a", "b")]
    assert [path.name for path in images.iterdir()] == [name]
    assert image.ensure(of("a", "b"), silent, rebuild=True) == name
    assert len(builds) == 2


def test_a_failed_or_killed_build_is_no_image(images: Path, builds: list[tuple[str, ...]]) -> None:
    with pytest.raises(LabError):
        image.ensure(of("broken"), silent)
    (images / ".building-feedfeedfeedfeed").mkdir()
    name = image.ensure(of("fine"), silent)
    assert [path.name for path in images.iterdir()] == [name]


def test_old_images_go_unless_a_lab_is_made_from_them(
    images: Path, builds: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    used, unused = image.ensure(of("used"), silent), image.ensure(of("unused"), silent)
    state.save(state.design(load(EXAMPLE), used))
    monkeypatch.setattr(image, "_FORGOTTEN", -1.0)
    fresh = image.ensure(of("fresh"), silent)
    assert {path.name for path in images.iterdir()} == {used, fresh}
    assert unused not in (used, fresh)
    with pytest.raises(LabError, match="in use by acme"):
        image.ensure(of("used"), silent, rebuild=True)
