"""Three true laws each, asymmetric and off-centre: none round, none at a bound, none at a start of the grid."""

import scaling
from scaling import REGISTRY, AdditiveLaw, DiversityLaw, Law, ParallelLaw

# Three true laws each, asymmetric and off-centre: none round, none at a bound, none at a start of the grid.
TRUTHS: dict[str, list[Law]] = {
    "parallel": [
        ParallelLaw(E=1.37, A=3.1e7, alpha=0.213, k=0.287),
        ParallelLaw(E=0.61, A=8.7e4, alpha=0.431, k=0.071),
        ParallelLaw(E=2.23, A=4.4e9, alpha=0.127, k=1.63),
    ],
    "diversity": [
        DiversityLaw(E=1.29, A=2.3e7, alpha=0.237, rho=0.871),
        DiversityLaw(E=0.53, A=1.9e5, alpha=0.389, rho=0.623),
        DiversityLaw(E=2.11, A=6.3e8, alpha=0.143, rho=0.957),
    ],
    "power": [
        scaling.ParallelPowerLaw(E=1.41, A=2.7e7, alpha=0.227, gamma=0.193),
        scaling.ParallelPowerLaw(E=0.47, A=1.3e5, alpha=0.443, gamma=0.067),
        scaling.ParallelPowerLaw(E=1.97, A=3.7e9, alpha=0.131, gamma=0.411),
    ],
    "additive": [
        AdditiveLaw(E=1.19, A=57.3, alpha=0.271, C=0.083, beta=0.467),
        AdditiveLaw(E=0.71, A=911.0, alpha=0.393, C=0.217, beta=0.831),
        AdditiveLaw(E=2.07, A=17.9, alpha=0.137, C=0.041, beta=1.37),
    ],
    "additive-half": [
        REGISTRY["additive-half"](E=1.19, A=57.3, alpha=0.271, C=0.083, beta=0.5),
        REGISTRY["additive-half"](E=0.71, A=911.0, alpha=0.393, C=0.217, beta=0.5),
        REGISTRY["additive-half"](E=2.07, A=17.9, alpha=0.137, C=0.041, beta=0.5),
    ],
    "saturating": [
        scaling.SaturatingLaw(E=1.23, A=1.7e7, alpha=0.263, rho=0.817, gamma=0.731),
        scaling.SaturatingLaw(E=0.59, A=2.9e5, alpha=0.377, rho=0.637, gamma=1.29),
        scaling.SaturatingLaw(E=1.83, A=5.3e8, alpha=0.159, rho=0.887, gamma=0.443),
    ],
    "log-multiplicative": [
        scaling.LogMultiplicativeLaw(E=1.31, A=43.1, alpha=0.223, beta=0.113),
        scaling.LogMultiplicativeLaw(E=0.67, A=787.0, alpha=0.411, beta=0.291),
        scaling.LogMultiplicativeLaw(E=2.17, A=13.3, alpha=0.139, beta=0.053),
    ],
    "dense": [
        scaling.DenseLaw(E=1.37, A=3.1e7, alpha=0.213),
        scaling.DenseLaw(E=0.61, A=8.7e4, alpha=0.431),
        scaling.DenseLaw(E=2.23, A=4.4e9, alpha=0.127),
    ],
    "chinchilla": [
        scaling.ChinchillaLaw(E=1.67, A=403.0, B=417.0, alpha=0.337, beta=0.283),
        scaling.ChinchillaLaw(E=0.83, A=57.0, B=19000.0, alpha=0.217, beta=0.461),
        scaling.ChinchillaLaw(E=2.29, A=1970.0, B=77.0, alpha=0.419, beta=0.193),
    ],
    "interaction": [
        scaling.InteractionLaw(E=1.67, A=3.1e7, B=4.4e9, alpha=0.337, beta=0.283, gamma=0.61),
        scaling.InteractionLaw(E=0.83, A=6.3e8, B=2.7e10, alpha=0.217, beta=0.461, gamma=1.37),
        scaling.InteractionLaw(E=2.29, A=4.7e6, B=1.9e8, alpha=0.419, beta=0.193, gamma=0.87),
    ],
    "equal-exponents": [
        scaling.EqualExponentsLaw(E=1.67, A=403.0, B=417.0, alpha=0.337),
        scaling.EqualExponentsLaw(E=0.83, A=57.0, B=190.0, alpha=0.217),
        scaling.EqualExponentsLaw(E=2.29, A=1970.0, B=7700.0, alpha=0.419),
    ],
    "no-floor": [
        scaling.NoFloorLaw(A=23.0, B=417.0, alpha=0.137, beta=0.283),
        scaling.NoFloorLaw(A=57.0, B=19.0, alpha=0.217, beta=0.113),
        scaling.NoFloorLaw(A=9.7, B=77.0, alpha=0.091, beta=0.193),
    ],
    "kaplan": [
        scaling.KaplanLaw(A=3.1e13, B=4.4e13, alpha=0.077, beta=0.103, gamma=0.31),
        scaling.KaplanLaw(A=6.3e11, B=2.7e12, alpha=0.117, beta=0.161, gamma=0.57),
        scaling.KaplanLaw(A=4.7e12, B=1.9e14, alpha=0.093, beta=0.087, gamma=0.83),
    ],
    "parallel-data": [
        scaling.ParallelDataLaw(E=1.43, A=2.9e7, B=411.0, alpha=0.317, k=0.287, beta=0.277),
        scaling.ParallelDataLaw(E=0.77, A=1.7e5, B=6900.0, alpha=0.227, k=0.513, beta=0.391),
        scaling.ParallelDataLaw(E=2.03, A=3.3e6, B=113.0, alpha=0.371, k=0.137, beta=0.209),
    ],
}
