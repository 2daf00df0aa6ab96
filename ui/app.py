"""The page in gradio: create_app(library) connects the components to the desk, serve(app) starts it.

Importing this loads gradio, which takes seconds. ``import ui`` does not import this.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from index.errors import ClippingsError
from ui import render, shelf
from ui.api import endpoints
from ui.desk import Desk, Turn
from ui.examples import Examples

if TYPE_CHECKING:
    from index.library import Library

FOLDER = Path(__file__).parent
MAX_UPLOAD = "64mb"
"""Gradio's limit for one file. Files too large for an article are refused by ``index``, with a message."""

POLL_SECONDS = 2.0
"""How often an open page checks whether the library has changed."""

# Buttons inside the HTML name their event in data-event; their other data-* attributes are sent with it.
# Gradio finds the names of custom events by their quotes in this text.
_SEND_EVENTS = """
const events = ['open', 'example', 'clear', 'remove'];
element.addEventListener('click', (click) => {
  const button = click.target.closest('[data-event]');
  if (button && events.includes(button.dataset.event)) trigger(button.dataset.event, {...button.dataset});
});
watch('value', () => window.clippings?.drawn(element));
"""


_ONLY_THIS_HOST = (
    '<meta http-equiv="Content-Security-Policy" '
    "content=\"default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob:; form-action 'self'\">"
)
_ICON = (
    '<link rel="icon" href="data:image/svg+xml,'
    "%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Crect width='16' height='16' rx='3' "
    "fill='%23fff0a6'/%3E%3Cpath d='M4 5h8M4 8h8M4 11h5' stroke='%239b2423' stroke-width='1.6'/%3E%3C/svg%3E\">"
)


class PortError(ClippingsError):
    """The chat cannot be served at this address."""


def create_app(library: Library) -> gr.Blocks:
    """Build the chat for a library. It does not start it; ``serve`` or ``launch`` does."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # for gradio code that does not see the setting of the app
    desk, examples = Desk(library), Examples(library)

    with gr.Blocks(title="Clippings", analytics_enabled=False, fill_width=True, delete_cache=(600, 600)) as app:
        turns: gr.State = gr.State((), time_to_live=24 * 3600)
        shown: gr.State = gr.State(None)
        seen: gr.State = gr.State(None)
        head = _html("masthead")
        with gr.Row(elem_id="desk"):
            with gr.Column(elem_id="left", min_width=0):
                with gr.Column(elem_id="ask", min_width=0):
                    talk = _html("conversation")
                    with gr.Column(elem_id="asking", min_width=0):
                        with gr.Row(elem_id="question-row"):
                            question = gr.Textbox(
                                label="Your question",
                                show_label=False,
                                container=False,
                                placeholder="Ask your articles a question",
                                lines=1,
                                max_lines=5,
                                elem_id="question",
                            )
                            send = gr.Button("Ask", variant="primary", elem_id="send", min_width=0)
                        narrowing = gr.Accordion("Narrow by date or source", open=False, elem_id="filters")
                        with narrowing, gr.Row():
                            since, until = _day("From", "since"), _day("To", "until")
                            source = gr.Dropdown(
                                label="Source",
                                choices=_choices(library),
                                value="",
                                allow_custom_value=True,  # a source may have left the library since it was listed
                                elem_id="source",
                                min_width=0,
                            )
                with gr.Column(elem_id="library", min_width=0):
                    status = _html("status")
                    with gr.Accordion("Add articles", open=False, elem_id="adding"):
                        gr.HTML(shelf.ADDING, apply_default_css=False)
                        files = gr.File(
                            label="Article files", show_label=False, file_count="multiple", height=120, elem_id="files"
                        )
                        with gr.Accordion("Or paste one", open=False, elem_id="pasting"):
                            title = gr.Textbox(label="Title", max_lines=1, elem_id="paste-title")
                            text = gr.Textbox(label="Text", lines=6, max_lines=14, elem_id="paste-text")
                            with gr.Row():
                                date = _day("Date", "paste-date")
                                origin = gr.Textbox(label="Source", max_lines=1, elem_id="paste-source", min_width=0)
                            paste = gr.Button("Add this article", variant="primary", elem_id="paste-add")
                    words = gr.Textbox(
                        label="Search the library",
                        show_label=False,
                        container=False,
                        placeholder="Search titles, sources and dates",
                        max_lines=1,
                        elem_id="search",
                    )
                    listing = _html("listing")
            article = _html("article")
        timer = gr.Timer(POLL_SECONDS)

        def opening() -> str:
            return shelf.opening(desk.articles(), examples.current())

        def library_now(search_words: str) -> list[Any]:
            articles = desk.articles()
            listed = shelf.shelf(articles, search_words)
            return [shelf.masthead(len(articles)), listed, gr.update(choices=_choices(library))]

        def start() -> list[Any]:
            now = (library.generation, examples.current())
            first = [now, (), None, render.conversation((), opening()), shelf.front_page(desk.articles())]
            return first + library_now("")

        def follow(before: Any, past_turns: tuple[Turn, ...], open_id: int | None, search_words: str) -> list[Any]:
            now = (library.generation, examples.current())
            if now == before:
                return [gr.skip()] * 6
            page: Any = gr.skip()
            if open_id is None and not past_turns:
                page = shelf.front_page(desk.articles())
            elif open_id is not None and not desk.holds(open_id):
                page = render.article_gone()
            talk_html = gr.skip() if past_turns else render.conversation((), opening())
            return [now, talk_html, page, *library_now(search_words)]

        def ask(question_text: str, past_turns: tuple[Turn, ...], *restrictions: str) -> list[Any]:
            reply = desk.ask(question_text or "", past_turns, *[value or "" for value in restrictions])
            page = gr.skip() if reply.page is None else reply.page
            open_id = gr.skip() if reply.page is None else reply.article
            box = "" if reply.taken else gr.skip()
            return [reply.turns, render.conversation([turn.html for turn in reply.turns], ""), page, open_id, box]

        def example(event: gr.EventData, past_turns: tuple[Turn, ...], *restrictions: str) -> list[Any]:
            return ask(str(event._data.get("question", "")), past_turns, *restrictions)

        def open_place(event: gr.EventData) -> tuple[str, int | None]:
            return desk.open(event._data)

        def clear() -> list[Any]:
            return [(), render.conversation((), opening()), shelf.front_page(desk.articles()), None]

        def add_files(paths: list[str] | None) -> Iterator[list[Any]]:
            if not paths:
                return
            for status_html in desk.add_files(paths):
                yield [status_html, gr.skip()]
            for path in paths:
                Path(path).unlink(missing_ok=True)  # gradio's own copy
            yield [status_html, None]

        def add_pasted(*fields: str) -> list[Any]:
            status_html, added = desk.add_pasted(*[value or "" for value in fields])
            return [status_html, *([""] * 4 if added else [gr.skip()] * 4)]

        def remove(event: gr.EventData) -> str:
            return desk.remove(event._data)

        answer_one, find = endpoints(library)  # before the page's own events, which would take these names
        gr.api(answer_one, api_name="ask", concurrency_limit=8)
        gr.api(find, api_name="retrieve", concurrency_limit=8)

        # Quick events skip the queue. Adding uses it, because it shows its progress.
        quick: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
        slow: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private", "concurrency_limit": 1}
        library_outputs = [head, listing, source]
        follow_args = ([seen, turns, shown, words], [seen, talk, article, *library_outputs])
        reply_outputs = [turns, talk, article, shown, question]
        restrict = [since, until, source]

        app.load(start, None, [seen, turns, shown, talk, article, *library_outputs], **quick)
        timer.tick(follow, *follow_args, **quick)
        gr.on([question.submit, send.click], ask, [question, turns, *restrict], reply_outputs, **quick)
        talk.example(example, [turns, *restrict], reply_outputs, **quick)
        talk.clear(clear, None, [turns, talk, article, shown], **quick)
        for place in (talk, article, listing):
            place.open(open_place, None, [article, shown], **quick)
        words.change(lambda typed: shelf.shelf(desk.articles(), typed), words, listing, **quick)
        listing.remove(remove, None, status, **quick).then(follow, *follow_args, **quick)
        files.upload(add_files, files, [status, files], **slow).then(follow, *follow_args, **quick)
        paste.click(add_pasted, [text, title, date, origin], [status, text, title, date, origin], **slow).then(
            follow, *follow_args, **quick
        )

    examples.current()  # starts the first check
    return app


def serve(app: gr.Blocks, host: str = "127.0.0.1", port: int = 7860, *, wait: bool = True) -> str:
    """Start the page and return its address. With ``wait``, return only when it has been stopped.

    Raises:
        PortError: the port is in use, or the host is not an address of this machine.
    """
    system = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"]
    theme = gr.themes.Base(font=system, font_mono=["ui-monospace", "monospace"])
    try:
        _, url, _ = app.queue(default_concurrency_limit=8).launch(
            server_name=host,
            server_port=port,
            prevent_thread_lock=not wait,
            theme=theme,
            head=_head(),
            js=(FOLDER / "script.js").read_text(encoding="utf-8"),
            share=False,
            quiet=True,
            show_error=True,
            inbrowser=False,
            ssr_mode=False,
            pwa=False,
            mcp_server=False,
            enable_monitoring=False,
            run_history=False,
            footer_links=[],
            max_file_size=MAX_UPLOAD,
        )
    except OSError as error:
        other = port + 1 if port < 65535 else port - 1
        raise PortError(
            f"Port {port} on {host} cannot be used. Use another: make chat PORT={other}, or python -m ui --port {other}"
        ) from error
    return str(url)


def _head() -> str:
    """The page's head: a policy that allows only this host, the icon, and the style sheets.

    The style sheets are here because gradio's css option would rewrite their selectors.
    """
    sheets = [(FOLDER / name).read_text(encoding="utf-8") for name in ("style.css", "controls.css")]
    return f"{_ONLY_THIS_HOST}{_ICON}<style>{''.join(sheets)}</style>"


def _html(name: str) -> Any:
    return gr.HTML(elem_id=name, apply_default_css=False, js_on_load=_SEND_EVENTS)


def _day(label: str, name: str) -> Any:
    """A box for a date. script.js turns it into the browser's date field."""
    return gr.Textbox(label=label, placeholder="YYYY-MM-DD", max_lines=1, elem_id=name, elem_classes="day", min_width=0)


def _choices(library: Library) -> list[tuple[str, str]]:
    return [("Any", ""), *((render.plain(source), source) for source in library.sources())]
