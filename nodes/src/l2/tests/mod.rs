mod model;
mod naive;
