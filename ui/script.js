// What the page does by itself: rooms, the article as a sheet on a phone, scrolling to the mark,
// copying, and asking before a removal. It draws no text from articles.
() => {
  const find = (selector) => document.querySelector(selector);
  const narrow = window.matchMedia('(max-width: 860px)');
  const still = window.matchMedia('(prefers-reduced-motion: reduce)');
  let opener = null; // the button that opened the sheet; focus returns to it

  // Rooms: ask, library

  function enter(room) {
    document.body.dataset.room = room;
    for (const button of document.querySelectorAll('nav [data-room]')) {
      if (button.dataset.room === room) button.setAttribute('aria-current', 'page');
      else button.removeAttribute('aria-current');
    }
  }

  function go(room) {
    enter(room);
    if (room === 'ask') type();
    else if (find('.opening .primary')) find('#adding > button[class*="label-wrap"]:not(.open)')?.click();
  }

  function type() { // on a phone this would bring up the keyboard over the page
    if (!narrow.matches) find('#question textarea')?.focus();
  }

  // The article

  function reveal() {
    const page = find('#article .page');
    const room = find('#article');
    if (!page || !room) return;
    const mark = page.querySelector('mark.exact') || page.querySelector('mark.sentence');
    const at = mark ? mark.getBoundingClientRect().top - page.getBoundingClientRect().top : 0;
    const seen = at < room.clientHeight * 0.6; // then the top of the article is the better view
    const top = seen ? 0 : at - room.clientHeight / 3;
    room.scrollTo({top, behavior: still.matches ? 'auto' : 'smooth'});
  }

  const placed = ['article', 'start', 'end', 'exact', 'context'];
  const same = (a, b) => placed.every((key) => a.dataset[key] === b.dataset[key]);

  function showWhichIsOpen() {
    const page = find('#article .page');
    for (const button of document.querySelectorAll('[data-event="open"]')) {
      if (page && same(button, page)) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }

  function openSheet(button) {
    if (!narrow.matches || document.body.classList.contains('reading')) return;
    opener = button;
    document.body.classList.add('reading');
    history.pushState({reading: true}, '');
    closer.focus();
  }

  function closeSheet() {
    if (!document.body.classList.contains('reading')) return;
    document.body.classList.remove('reading');
    if (opener?.isConnected) opener.focus();
  }

  const closer = document.createElement('button');
  closer.type = 'button';
  closer.className = 'close-sheet';
  closer.textContent = '← Back';
  closer.addEventListener('click', () => history.back());
  document.body.append(closer);
  window.addEventListener('popstate', closeSheet);
  narrow.addEventListener('change', closeSheet);

  // Dates are picked with the browser's own field; gradio draws these boxes when their part is opened

  function makeDates() {
    for (const box of document.querySelectorAll('.day input[type="text"]')) box.type = 'date';
  }
  new MutationObserver(makeDates).observe(find('#desk'), {childList: true, subtree: true});
  makeDates();

  // After each drawing of a gradio HTML component

  function drawn(element) {
    const id = element.closest('[id]:not([id^="html-"])')?.id;
    if (id === 'article') reveal();
    if (id === 'masthead') enter(document.body.dataset.room || 'ask');
    if (id === 'conversation') {
      const last = find('.talk > .turn:last-of-type');
      if (last && narrow.matches) document.activeElement?.blur();
      if (last) last.scrollIntoView({block: 'start', behavior: still.matches ? 'auto' : 'smooth'});
    }
    showWhichIsOpen();
  }

  // Copying

  async function copy(button) {
    const text = button.dataset.citation;
    try {
      await navigator.clipboard.writeText(text);
    } catch { // not on https or localhost
      const box = document.createElement('textarea');
      box.value = text;
      box.style.position = 'fixed';
      document.body.append(box);
      box.select();
      document.execCommand('copy');
      box.remove();
      button.focus();
    }
    button.textContent = 'Copied';
    said.textContent = 'Citation copied';
    setTimeout(() => { button.textContent = 'Copy'; said.textContent = ''; }, 1600);
  }

  const said = document.createElement('div');
  said.className = 'said';
  said.setAttribute('role', 'status');
  document.body.append(said);

  document.addEventListener('click', (click) => {
    const button = click.target.closest('button');
    if (!button) return;
    if (button.dataset.room) go(button.dataset.room);
    if (button.dataset.citation !== undefined) copy(button);
    if (button.dataset.event === 'open') {
      openSheet(button);
      const page = find('#article .page');
      if (page && same(button, page)) reveal(); // already drawn: nothing will come from the server
    }
    const removal = button.closest('.remove');
    if (removal) {
      const asking = button.dataset.confirm !== undefined;
      removal.querySelector('[data-confirm]').hidden = asking;
      removal.querySelector('.sure-remove').hidden = !asking;
      removal.querySelector(asking ? '[data-keep]' : '[data-confirm]').focus();
    }
  });

  document.addEventListener('keydown', (key) => {
    if (key.key === 'Escape' && document.body.classList.contains('reading')) history.back();
    const typing = key.target.closest?.('input, textarea, select, [contenteditable]');
    if (key.key === '/' && !typing && !key.ctrlKey && !key.metaKey) {
      key.preventDefault();
      go('ask');
    }
  });

  window.clippings = {drawn};
  go('ask');
}
