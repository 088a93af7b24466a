"use strict";
(() => {
  const filters = document.querySelector(".filters");
  const cards = [...document.querySelectorAll(".document")];
  const [attack, search, count] = ["#class", "#search", "#count"].map((name) => document.querySelector(name));
  const boxes = [...filters.querySelectorAll("input[type=checkbox]")];
  // Marks of hidden characters would cut words in two: they are left out of what is searched.
  const texts = cards.map((card) => {
    const copy = card.cloneNode(true);
    for (const mark of copy.querySelectorAll("i")) mark.remove();
    return copy.textContent.toLowerCase();
  });
  const apply = () => {
    const verdicts = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const wanted = search.value.trim().toLowerCase();
    let shown = 0;
    cards.forEach((card, index) => {
      const fits =
        verdicts.has(card.dataset.verdict) &&
        (!attack.value || card.dataset.classes.split(" ").includes(attack.value)) &&
        (!wanted || texts[index].includes(wanted));
      card.hidden = !fits;
      shown += fits ? 1 : 0;
    });
    count.textContent = `${shown.toLocaleString()} of ${cards.length.toLocaleString()} shown`;
  };
  for (const box of boxes) box.addEventListener("change", apply);
  attack.addEventListener("change", apply);
  search.addEventListener("input", apply);
  filters.hidden = false;
  apply();
})();
