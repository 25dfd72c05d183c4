"use strict";
// The films: a slider between X-ray and DRR, as a split or as a blend; before and after; the contour.
for (const film of document.querySelectorAll(".film")) {
  const slider = film.querySelector(".mix");
  if (!slider) continue;
  const stack = film.querySelector(".stack");
  const show = () => {
    const pose = film.querySelector("input[name$='-pose']:checked").value;
    const mode = film.querySelector("input[name$='-mode']:checked").value;
    film.dataset.mode = mode;
    film.dataset.pose = pose;
    film.style.setProperty("--mix", slider.value + "%");
    film.classList.toggle("with-agreement", film.querySelector(".show-agreement").checked);
    film.classList.toggle("without-contour", !film.querySelector(".show-contour").checked);
    for (const part of film.querySelectorAll("[data-pose]")) part.classList.toggle("chosen", part.dataset.pose === pose);
  };
  for (const input of film.querySelectorAll("input")) input.addEventListener("input", show);
  // The split can be taken in the picture itself.
  const split = (event) => {
    if (event.buttons !== 1 || film.dataset.mode !== "split") return;
    const box = stack.getBoundingClientRect();
    slider.value = Math.round((100 * (event.clientX - box.left)) / box.width);
    show();
    event.preventDefault();
  };
  stack.addEventListener("pointerdown", split);
  stack.addEventListener("pointermove", split);
  show();
}
