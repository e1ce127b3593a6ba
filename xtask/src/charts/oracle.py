"""Prints, for each folder of a chart or file of manifests, the images that Helm's engine and a walk over YAML find."""
import json
import os
import sys

import yaml
from helm_python.chart import Chart


def images(node):
    """Every text under a key `image`."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "image" and isinstance(value, str) and value:
                yield value
            yield from images(value)
    elif isinstance(node, list):
        for item in node:
            yield from images(item)


def walk(text):
    for document in yaml.load_all(text, Loader=yaml.SafeLoader):
        yield from images(document)


def texts(path):
    if not os.path.isdir(path):
        with open(path, encoding="utf-8") as file:
            return [file.read()]
    with Chart.load(path) as chart:
        pages = chart.render(name="dryrun", namespace="default", is_install=True)
    return [text for name, text in sorted(pages.items()) if not name.endswith("NOTES.txt")]


for path in sys.argv[1:]:
    answer = {"chart": path}
    try:
        answer["images"] = sorted({image for text in texts(path) for image in walk(text)})
    except Exception as error:  # whatever Helm says is an answer
        answer["error"] = str(error)
    print(json.dumps(answer), flush=True)
