"use strict";
// The 3D view: vertebrae, films, sources and beams in parallel projection, drawn from back to front on a 2D canvas.
(() => {
  const data = JSON.parse(document.getElementById("scene-data").textContent);
  const canvas = document.getElementById("scene");
  const context = canvas.getContext("2d");
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0)).buffer;
  const add = (a, b) => [a[0] + b[0], a[1] + b[1], a[2] + b[2]];
  const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
  const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];

  const meshes = data.vertebrae.map((mesh) => {
    const numbers = new Int16Array(bytes(mesh.vertices));
    const corners = new (mesh.wide ? Uint32Array : Uint16Array)(bytes(mesh.triangles));
    const vertices = [];
    for (let n = 0; n < numbers.length; n += 3)
      vertices.push([0, 1, 2].map((axis) => mesh.origin[axis] + numbers[n + axis] * data.unit));
    return { name: mesh.name, origin: mesh.origin, vertices, corners };
  });
  const films = data.views.map((view) => {
    const image = new Image();
    image.onload = () => draw();
    image.src = view.image;
    const [first, across, down] = view.corners;
    const last = minus(add(across, down), first);
    return { ...view, image, quad: [first, across, last, down], centre: first.map((_, n) => (across[n] + down[n]) / 2) };
  });

  const everything = [...films.flatMap((film) => [...film.quad, film.source]), ...meshes.flatMap((mesh) => [mesh.origin])];
  const spread = (points) => {
    const low = [0, 1, 2].map((axis) => Math.min(...points.map((point) => point[axis])));
    const high = [0, 1, 2].map((axis) => Math.max(...points.map((point) => point[axis])));
    return { middle: low.map((value, n) => (value + high[n]) / 2), size: Math.hypot(...minus(high, low)) };
  };
  const whole = spread(everything);
  const bone = meshes.length ? spread(meshes.flatMap((mesh) => mesh.vertices)) : whole;
  const camera = { turn: 0.6, tilt: 0.35, size: null, middle: whole.middle }; // without a size, everything fits

  // The patient's axes on the screen: to the right, up, and towards the eye. Unturned, the eye is in front of the patient.
  const axes = () => {
    const [s, c, t, k] = [Math.sin(camera.turn), Math.cos(camera.turn), Math.sin(camera.tilt), Math.cos(camera.tilt)];
    return { right: [-c, s, 0], up: [-s * t, -c * t, k], eye: [s * k, c * k, t] };
  };

  function draw() {
    const box = canvas.getBoundingClientRect();
    const ratio = window.devicePixelRatio || 1;
    canvas.width = Math.max(1, Math.round(box.width * ratio));
    canvas.height = Math.max(1, Math.round(box.height * ratio));
    const { right, up, eye } = axes();
    if (camera.size === null) fit(right, up);
    const scale = Math.min(canvas.width, canvas.height) / camera.size;
    const onto = (point) => {
      const away = minus(point, camera.middle);
      return [canvas.width / 2 + scale * dot(away, right), canvas.height / 2 - scale * dot(away, up), dot(away, eye)];
    };
    const style = getComputedStyle(canvas);
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, canvas.width, canvas.height);
    const things = films.map((film) => ({ depth: onto(film.centre)[2], paint: () => paintFilm(film, onto, style, ratio) }));
    for (const mesh of meshes) collect(mesh, onto, things, eye);
    things.sort((a, b) => a.depth - b.depth);
    for (const thing of things) thing.paint();
    for (const film of films) paintBeam(film, onto, style, ratio);
    for (const mesh of meshes) label(mesh.name, onto(mesh.origin), style, ratio, 14);
    canvas.dataset.drawn = String(things.length);
  }

  // So near that sources and films just fit, with room for their names.
  function fit(right, up) {
    const across = everything.map((point) => dot(point, right));
    const along = everything.map((point) => dot(point, up));
    const [low, high] = [Math.min, Math.max];
    const [width, height] = [across, along].map((values) => high(...values) - low(...values));
    const shorter = Math.min(canvas.width, canvas.height);
    camera.size = 1.15 * Math.max((width * shorter) / (0.85 * canvas.width), (height * shorter) / canvas.height);
    const middles = [across, along].map((values) => (high(...values) + low(...values)) / 2);
    const away = [middles[0] - dot(whole.middle, right), middles[1] - dot(whole.middle, up)];
    camera.middle = whole.middle.map((value, n) => value + away[0] * right[n] + away[1] * up[n]);
  }

  function collect(mesh, onto, things, eye) {
    const seen = mesh.vertices.map(onto);
    const rgb = [1, 3, 5].map((n) => parseInt(data.colour.slice(n, n + 2), 16));
    for (let n = 0; n < mesh.corners.length; n += 3) {
      const [a, b, c] = [seen[mesh.corners[n]], seen[mesh.corners[n + 1]], seen[mesh.corners[n + 2]]];
      // Screen y runs down: what faces the eye runs clockwise there.
      const area = (b[0] - a[0]) * (c[1] - a[1]) - (c[0] - a[0]) * (b[1] - a[1]);
      if (area >= 0) continue;
      const [p, q, r] = [0, 1, 2].map((corner) => mesh.vertices[mesh.corners[n + corner]]);
      const [u, v] = [minus(q, p), minus(r, p)];
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      const light = 0.35 + 0.65 * Math.max(0, dot(normal, eye) / (Math.hypot(...normal) || 1));
      const fill = `rgb(${rgb.map((part) => Math.round(part * light)).join(",")})`;
      const paint = () => {
        context.fillStyle = context.strokeStyle = fill;
        context.lineWidth = 1;
        context.beginPath();
        context.moveTo(a[0], a[1]);
        context.lineTo(b[0], b[1]);
        context.lineTo(c[0], c[1]);
        context.closePath();
        context.fill();
        context.stroke();
      };
      things.push({ depth: (a[2] + b[2] + c[2]) / 3, paint });
    }
  }

  function paintFilm(film, onto, style, ratio) {
    const [first, across, , down] = film.quad.map(onto);
    if (film.image.complete && film.image.naturalWidth) {
      const [w, h] = [film.image.naturalWidth, film.image.naturalHeight];
      context.save();
      context.setTransform(
        (across[0] - first[0]) / w, (across[1] - first[1]) / w, (down[0] - first[0]) / h, (down[1] - first[1]) / h,
        first[0], first[1],
      );
      context.drawImage(film.image, 0, 0);
      context.restore();
    }
    outline(film.quad.map(onto), style.getPropertyValue("--line"), ratio);
  }

  function paintBeam(film, onto, style, ratio) {
    const source = onto(film.source);
    context.globalAlpha = 0.5;
    for (const corner of film.quad) outline([source, onto(corner)], style.getPropertyValue("--line"), ratio);
    context.globalAlpha = 1;
    context.fillStyle = style.getPropertyValue("--ink");
    context.beginPath();
    context.arc(source[0], source[1], 4 * ratio, 0, 2 * Math.PI);
    context.fill();
    label(`${film.name} source`, source, style, ratio, 12);
  }

  function outline(points, colour, ratio) {
    context.strokeStyle = colour;
    context.lineWidth = ratio;
    context.beginPath();
    points.forEach((point, n) => (n ? context.lineTo(point[0], point[1]) : context.moveTo(point[0], point[1])));
    context.closePath();
    context.stroke();
  }

  function label(text, at, style, ratio, size) {
    context.font = `${size * ratio}px sans-serif`;
    context.lineWidth = 3 * ratio;
    context.strokeStyle = style.getPropertyValue("--paper");
    context.strokeText(text, at[0] + 8 * ratio, at[1] - 6 * ratio);
    context.fillStyle = style.getPropertyValue("--ink");
    context.fillText(text, at[0] + 8 * ratio, at[1] - 6 * ratio);
  }

  const looks = {
    all: () => Object.assign(camera, { size: null }),
    vertebra: () => Object.assign(camera, { size: 0.9 * bone.size, middle: bone.middle }),
    front: () => Object.assign(camera, { turn: 0, tilt: 0 }),
    side: () => Object.assign(camera, { turn: Math.PI / 2, tilt: 0 }),
  };
  for (const button of document.querySelectorAll("[data-look]"))
    button.addEventListener("click", () => (looks[button.dataset.look](), draw()));
  const turn = (across, down) => {
    camera.turn += across;
    camera.tilt = Math.max(-1.5, Math.min(1.5, camera.tilt + down));
    draw();
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons === 1) turn(event.movementX * 0.008, event.movementY * 0.008);
  });
  const nearer = (factor) => ((camera.size *= factor), draw());
  canvas.addEventListener("wheel", (event) => (event.preventDefault(), nearer(Math.exp(event.deltaY * 0.001))), { passive: false });
  const keys = {
    ArrowLeft: () => turn(-0.1, 0), ArrowRight: () => turn(0.1, 0), ArrowUp: () => turn(0, -0.1), ArrowDown: () => turn(0, 0.1),
    "+": () => nearer(0.9), "-": () => nearer(1.1),
  };
  canvas.addEventListener("keydown", (event) => {
    if (keys[event.key]) (event.preventDefault(), keys[event.key]());
  });
  window.addEventListener("resize", draw);
  window.addEventListener("beforeprint", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  draw();
})();
