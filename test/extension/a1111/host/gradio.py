"""Components that remember how they were made."""


class Component:
    def __init__(self, value=None, **kwargs):
        self.value, self.kwargs, self.clicks = value, kwargs, []

    def __enter__(self):
        return self

    def __exit__(self, *given):
        return False

    def click(self, **kwargs):
        self.clicks.append(kwargs)


class Row(Component):
    pass


class HTML(Component):
    pass


class Button(Component):
    pass


class Textbox(Component):
    pass


class Checkbox(Component):
    pass


class Number(Component):
    pass


class Radio(Component):
    pass


class Accordion(Component):
    pass
