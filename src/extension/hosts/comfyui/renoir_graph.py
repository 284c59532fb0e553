"""What of a graph made a picture. How a graph is read is the server's business; here it is only cut to what lies behind one picture."""
from __future__ import annotations


def behind(graph, node, name="images"):
    """The nodes that the picture at an input of `node` comes from, saved by a node of our own: a graph of that picture alone.

    Of several samplers in a workflow, the server so finds the one that made this picture. None where nothing is known."""
    link = _link((graph or {}).get(str(node), {}).get("inputs", {}).get(name))
    if link is None:
        return None
    found = {id: graph[id] for id in ancestors(graph, link[0])}
    return {**found, "renoir": {"class_type": "SaveImage", "inputs": {"images": link, "filename_prefix": "renoir"}}}


def ancestors(graph, start):
    """The ids of all nodes from `start` upstream, the nearest first."""
    found = [start]
    for id in found:
        for value in graph.get(id, {}).get("inputs", {}).values():
            link = _link(value)
            if link and link[0] not in found and link[0] in graph:
                found.append(link[0])
    return [id for id in found if id in graph]


def loaded_file(graph, node, name="images"):
    """The name of the picture file that was loaded, where the picture comes from one."""
    link = _link((graph or {}).get(str(node), {}).get("inputs", {}).get(name))
    for id in ancestors(graph, link[0]) if link else ():
        file = graph[id]["inputs"].get("image")
        if graph[id]["class_type"].startswith("LoadImage") and isinstance(file, str):
            return file
    return None


def _link(value):
    """A link is [node's id, number of the output]."""
    if isinstance(value, (list, tuple)) and len(value) == 2 and isinstance(value[1], int):
        return [str(value[0]), value[1]]
    return None
