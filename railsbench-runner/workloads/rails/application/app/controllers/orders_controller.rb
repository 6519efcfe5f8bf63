# frozen_string_literal: true

class OrdersController < ApplicationController
  def show
    @order = Order.includes(:customer, line_items: { book: :author }).find(params[:id])
  end
end
