# frozen_string_literal: true

module Api
  class OrdersController < BaseController
    def create
      order = Order.new(order_params)
      if order.save
        render json: order.as_json(include: :line_items), status: :created
      else
        # By number: the symbol for 422 has changed its name.
        render json: { errors: order.errors.to_hash }, status: 422
      end
    end

    def update
      order = Order.includes(:line_items).find(params[:id])
      if order.update(order_params)
        render json: order.as_json(include: :line_items)
      else
        render json: { errors: order.errors.to_hash }, status: 422
      end
    end

    def destroy
      Order.find(params[:id]).destroy!
      head :no_content
    end

    private

    def order_params
      params.require(:order).permit(:customer_id, :number, :status,
                                    line_items_attributes: %i[id book_id quantity])
    end
  end
end
