"use strict";
// The laws of N and P in the browser. n = ln N, p = ln P.
// A law is L = sum_j c_j phi_j(n, p; eta); each form returns [phi_j] and [d phi_j / d eta_i as [i][j]].
// phi_0 is 1, eta_0 is alpha, and every term but those in FREE_OF_N falls as N^-alpha.
const Law = (() => {
  const { exp, log, log1p, sqrt } = Math;
  const FORMS = {
    DenseLaw: (n, p, [a]) => {
      const f = exp(-a * n);
      return [[1, f], [[0, -n * f]]];
    },
    ParallelLaw: (n, p, [a, k]) => {
      const gain = 1 + k * p, u = n + log(gain), f = exp(-a * u);
      return [[1, f], [[0, -u * f], [0, -a * f * p / gain]]];
    },
    ParallelPowerLaw: (n, p, [a, g]) => {
      const u = n + g * p, f = exp(-a * u);
      return [[1, f], [[0, -u * f], [0, -a * p * f]]];
    },
    DiversityLaw: (n, p, [a]) => {
      const f = exp(-a * n), s = exp(-p);
      return [[1, f, f * s], [[0, -n * f, -n * f * s]]];
    },
    SaturatingLaw: (n, p, [a, g]) => {
      const f = exp(-a * n), s = exp(-g * p);
      return [[1, f, f * s], [[0, -n * f, -n * f * s], [0, 0, -p * f * s]]];
    },
    AdditiveLaw: (n, p, [a, b]) => {
      const f = exp(-a * n), s = exp(-b * p);
      return [[1, f, s], [[0, -n * f, 0], [0, 0, -p * s]]];
    },
    LogMultiplicativeLaw: (n, p, [a, b]) => {
      const q = log1p(p / Math.LN2), f = exp(-a * n - b * q);
      return [[1, f], [[0, -n * f], [0, -q * f]]];
    },
  };
  const FREE_OF_N = { AdditiveLaw: [0, 2] };
  const dot = (a, b) => a.reduce((sum, x, i) => sum + x * b[i], 0);

  const loss = (law, N, P) => dot(law.c, FORMS[law.form](log(N), log(P), law.eta)[0]);

  // dL/d(c, eta), in the order of the covariance.
  function gradient(law, N, P) {
    const [phi, slopes] = FORMS[law.form](log(N), log(P), law.eta);
    return [...phi, ...slopes.map((row) => dot(law.c, row))];
  }

  // The delta method: t times the standard error of a quantity with gradient g; NaN where undetermined.
  function half(law, g) {
    const variance = law.cov === null ? NaN : dot(g, law.cov.map((row) => dot(row, g)));
    return variance > 0 ? law.t * sqrt(variance) : NaN;
  }

  // Predicted loss with the interval of the law's mean and of one more run.
  function predict(law, N, P) {
    const value = loss(law, N, P), h = half(law, gradient(law, N, P));
    const run = sqrt(h * h + (law.t * law.noise * (law.log ? value : 1)) ** 2);
    return { loss: value, lower: value - h, upper: value + h, newLower: value - run, newUpper: value + run };
  }

  // L = base + coef N^-alpha at Q streams.
  function parts(law, Q) {
    const phi = FORMS[law.form](0, log(Q), law.eta)[0], free = FREE_OF_N[law.form] || [0];
    const sum = (keep) => dot(law.c, phi.map((v, j) => (free.includes(j) === keep ? v : 0)));
    return { base: sum(true), coef: sum(false) };
  }

  // The size that reaches a loss at Q streams; Infinity where none does.
  function sizeFor(law, target, Q) {
    const { base, coef } = parts(law, Q);
    return target > base ? exp(log(coef / (target - base)) / law.eta[0]) : Infinity;
  }

  // The size at Q streams with the loss of (N, P), its interval formed on the logarithm.
  function equivalent(law, N, P, Q) {
    if (P === Q) return { N, lower: N, upper: N };
    const from = parts(law, P), to = parts(law, Q);
    const rest = from.coef * exp(-law.eta[0] * log(N)) + from.base - to.base;
    if (!(rest > 0)) return { N: Infinity, lower: NaN, upper: NaN };
    const size = exp(log(to.coef / rest) / law.eta[0]), slope = -law.eta[0] * rest;
    const there = gradient(law, size, Q);
    const h = half(law, gradient(law, N, P).map((v, i) => (v - there[i]) / slope));
    return { N: size, lower: size * exp(-h), upper: size * exp(h) };
  }

  return { FORMS, loss, gradient, predict, sizeFor, equivalent };
})();
