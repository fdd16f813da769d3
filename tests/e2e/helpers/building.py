"""Building a Dockerfile given as text and looking at the image that came out, as the store holds it."""
import textwrap

from helpers.images import read_layout


class Built:
    """The image of a successful build."""

    def __init__(self, slipway, result, name):
        self.result = result
        self.image = read_layout(slipway.root, name)
        self.document = self.image.config
        self.config = self.image.config.get("config", {})
        self.history = self.image.config.get("history", [])
        self._tree = None

    @property
    def tree(self):
        if self._tree is None:
            self._tree = self.image.verify().tree()
        return self._tree

    def text(self, path):
        return self.tree.text(path)

    def env(self):
        return dict(value.split("=", 1) for value in self.config.get("Env", []))

    def has(self, *paths):
        missing = [p for p in paths if p.strip("/") not in self.tree]
        assert not missing, f"not in the image: {missing}"

    def lacks(self, *paths):
        there = [p for p in paths if p.strip("/") in self.tree]
        assert not there, f"in the image: {there}"


class Builder:
    """build(dockerfile, files, *options) -> Built; build.fails(dockerfile, *words, files={}) -> Result."""

    def __init__(self, slipway, context, tiny):
        self.slipway, self.context, self.tiny = slipway, context, tiny
        self.options = ["--build-context", f"tiny=oci-layout:{tiny}"]
        self.n_built = 0
        self.last = None  # the context folder of the last build

    def _run(self, dockerfile, files, options, run_options):
        files = {**(files or {})}
        if dockerfile is not None:
            text = dockerfile if isinstance(dockerfile, bytes) else textwrap.dedent(dockerfile)
            files["Dockerfile"] = text
        self.n_built += 1
        self.last = self.context(files)
        name = f"t{self.n_built}:latest"
        result = self.slipway.build(self.last, "-t", name, "--progress", "plain", *self.options, *options,
                                    **run_options)
        return result, name

    def __call__(self, dockerfile, files=None, *options, **run_options):
        result, name = self._run(dockerfile, files, options, run_options)
        return Built(self.slipway, result.ok(), name)

    def again(self, *options, **run_options):
        """Builds the last context once more, as the user who edits a file does."""
        self.n_built += 1
        name = f"t{self.n_built}:latest"
        result = self.slipway.build(self.last, "-t", name, "--progress", "plain", *self.options, *options,
                                    **run_options)
        return Built(self.slipway, result.ok(), name)

    def fails(self, dockerfile, *words, files=None, options=(), code=1, **run_options):
        result, name = self._run(dockerfile, files, options, run_options)
        result.fails(*words, code=code)
        index = self.slipway.root / "index.json"
        assert not index.exists() or f'"{name}"' not in index.read_text(), "a failed build named an image"
        return result
